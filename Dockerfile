# K2 with everything set up, so that a container starts in seconds and needs no network to start.
# The first stage is what runs; the second one adds what only set-up needs, and is left behind.

FROM node:22.22.2-bookworm-slim AS base
RUN apt-get update \
 && apt-get install --yes --no-install-recommends \
      ca-certificates libssl3 openjdk-17-jre-headless procps python3 zlib1g \
 && rm -rf /var/lib/apt/lists/* \
 && npm install --global bun@1.4.5 \
 && npm cache clean --force
WORKDIR /opt/k2

FROM base AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends \
      g++ libssl-dev make maven python3-venv zlib1g-dev \
 && rm -rf /var/lib/apt/lists/*
COPY . .
RUN bun main.ts setup packages kafka_client kafka_broker spark_classes duckdb \
 && rm -rf .setup/logs

FROM base
# The checkout belongs to root and is only read; everything K2 writes goes to /data.
COPY --from=build /opt/k2 /opt/k2
RUN install --directory --owner=node --group=node /data
ENV K2_DATA_DIR=/data
USER node
VOLUME /data
STOPSIGNAL SIGTERM
ENTRYPOINT ["bun", "main.ts"]
CMD ["start"]
