"""Classes of Django that are generic for the type checker only: here they take their brackets at run time, too."""

from typing import TYPE_CHECKING

from django import forms
from django.contrib import admin
from django.contrib.auth import admin as auth_admin
from django.core import paginator

if TYPE_CHECKING:
    BaseInlineFormSet = forms.BaseInlineFormSet
    ModelAdmin = admin.ModelAdmin
    ModelForm = forms.ModelForm
    Paginator = paginator.Paginator
    TabularInline = admin.TabularInline
    UserAdmin = auth_admin.UserAdmin
else:

    class Bracketed:
        def __class_getitem__(cls, _types):
            return cls

    class BaseInlineFormSet(Bracketed, forms.BaseInlineFormSet):
        pass

    class ModelAdmin(Bracketed, admin.ModelAdmin):
        pass

    class ModelForm(Bracketed, forms.ModelForm):
        pass

    class Paginator(Bracketed, paginator.Paginator):
        pass

    class TabularInline(Bracketed, admin.TabularInline):
        pass

    class UserAdmin(Bracketed, auth_admin.UserAdmin):
        pass
