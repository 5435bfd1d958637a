"""Database models, one class a file with its QuerySet.

Constraints repeat the rules of `rules/states.py`. No module here writes a status.
"""

from commands.models.account import Account, AccountDirectory, AccountSync, AccountVersion
from commands.models.artifact import Artifact
from commands.models.command import Command
from commands.models.credential import CallBudget, Credential
from commands.models.device import Device
from commands.models.dispatch import Dispatch
from commands.models.event import Event
from commands.models.grant import Grant
from commands.models.heartbeat import Heartbeat
from commands.models.notification import Notification
from commands.models.pause import Pause
from commands.models.preset import Preset
from commands.models.purpose import Purpose
from commands.models.run import Run
from commands.models.user import User

__all__ = [
    "Account",
    "AccountDirectory",
    "AccountSync",
    "AccountVersion",
    "Artifact",
    "CallBudget",
    "Command",
    "Credential",
    "Device",
    "Dispatch",
    "Event",
    "Grant",
    "Heartbeat",
    "Notification",
    "Pause",
    "Preset",
    "Purpose",
    "Run",
    "User",
]
