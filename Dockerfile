# One image for web, worker, beat and the one-shot preparation; docker-compose.yml says which does what.
FROM python:3.12-slim-bookworm

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
RUN groupadd --gid 10001 app && useradd --uid 10001 --gid app --no-create-home --shell /usr/sbin/nologin app

COPY requirements/base.txt requirements/base.txt
RUN pip install --require-hashes --only-binary :all: -r requirements/base.txt

COPY manage.py ./
COPY accounts accounts
COPY actions actions
COPY cs_platform cs_platform
COPY ctas ctas
COPY data data
COPY docker/healthy.py docker/healthy.py
COPY playbooks playbooks
COPY static static
COPY success_plans success_plans
COPY templates templates

# Collecting needs settings, not servers: these values exist in this step only.
ENV STATIC_ROOT=/app/staticfiles
RUN SECRET_KEY=collectstatic DATABASE_URL=postgresql://nobody@localhost/none \
    python manage.py collectstatic --noinput --verbosity 0 && python -m compileall -q .

USER app
EXPOSE 8000
CMD ["gunicorn", "cs_platform.wsgi", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--workers", "3", \
     "--threads", "4", "--preload", "--no-control-socket", "--worker-tmp-dir", "/dev/shm", "--graceful-timeout", "30", \
     "--max-requests", "5000", "--max-requests-jitter", "500", "--access-logfile", "-"]
