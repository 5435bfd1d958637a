# Image of the portal. It starts a web process, and workers or beat with the commands in docker-compose.yml.
# .dockerignore keeps the simulator, the tests and the tools out of it.

FROM python:3.13-slim AS build
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
RUN python -m venv --without-pip /venv
COPY requirements.txt /
RUN pip --python /venv install --require-hashes --only-binary :all: -r /requirements.txt
WORKDIR /app
COPY manage.py ./
COPY dexportal dexportal
COPY commands commands
COPY templates templates
COPY static static
# Production settings require these variables. The build connects to none of these addresses and keeps no value.
RUN CREDENTIAL_KEYS="$(python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())')" && \
    export CREDENTIAL_KEYS SECRET_KEY=build PUBLIC_URL=https://build.invalid DATABASE_URL=sqlite:////tmp/none \
        REDIS_URL=redis://build.invalid STORAGE_URL=file:///tmp EMAIL_URL=console:// && \
    python manage.py collectstatic --no-input --verbosity 0 && \
    python -m compileall -q manage.py dexportal commands

FROM python:3.13-slim
# No user of the host has the id 10001. The portal writes only to the volume and to /tmp.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp portal && \
    install -d -o portal -g portal -m 700 /var/lib/dexportal
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    VAR_DIR=/var/lib/dexportal \
    WEB_HOST=0.0.0.0 \
    WEB_PORT=8000
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --start-interval=2s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['WEB_PORT'] + '/readyz', timeout=9)"]
CMD ["python", "-m", "dexportal.serve", "--processes", "2"]
