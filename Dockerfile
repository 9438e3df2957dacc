# syntax=docker/dockerfile:1
# One image for server and worker, one for the action server. Python's own slim image, no root, nothing to compile.
#
# The default wheel of torch for Linux carries CUDA. For a small CPU image name an index with CPU wheels of torch:
#   docker build --build-arg PIP_EXTRA_INDEX_URL=... .

FROM python:3.11-slim AS build
ARG PIP_EXTRA_INDEX_URL=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_EXTRA_INDEX_URL=${PIP_EXTRA_INDEX_URL}
WORKDIR /src
RUN python -m venv /venv
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY bot bot
COPY retrieval retrieval
COPY training training
RUN --mount=type=cache,target=/root/.cache/pip \
    /venv/bin/pip install --constraint constraints.txt '.[postgres]'

FROM python:3.11-slim AS build-actions
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python -m venv /venv
COPY constraints.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    /venv/bin/pip install --constraint constraints.txt rasa-sdk

FROM python:3.11-slim AS base
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1
RUN useradd --uid 10001 --create-home desk && install -d -o desk /app /data
WORKDIR /app

# Custom actions are mounted or copied to /app/actions.
FROM base AS actions
COPY --from=build-actions /venv /venv
COPY config/demo/actions actions
USER desk
EXPOSE 5055
CMD ["python", "-m", "rasa_sdk", "--actions", "actions", "--port", "5055"]

# The last stage is what `docker build .` makes.
FROM base AS desk
COPY --from=build /venv /venv
COPY config config
ENV DESKHAND_DATA_DIR=/data DESKHAND_CONFIG_DIR=/app/config DESKHAND_HOST=0.0.0.0
USER desk
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD \
    ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
CMD ["deskhand", "serve"]
