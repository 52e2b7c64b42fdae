# The image of tinymq. docs/container.md says how to run it, and test/deploy/image.test.ts builds and runs it.
#
#     docker build --tag tinymq .

# The version is that of the package `node` in package-lock.json: the one that all tests run on.
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc tsconfig.json tsup.config.ts ./
# What is built with needs none of the scripts that packages run at an install; neither does what is installed below.
RUN npm ci --ignore-scripts
COPY cmd cmd
COPY internal internal
COPY pkg pkg
RUN npm run build

FROM node:24.21.0-bookworm-slim AS dependencies
WORKDIR /opt/tinymq
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

FROM node:24.21.0-bookworm-slim
# The numbers are users of no machine: a folder that is mounted at /data has to belong to them.
RUN install -d -m 0700 -o 10001 -g 10001 /data
WORKDIR /opt/tinymq
COPY LICENSE package.json ./
COPY --from=dependencies /opt/tinymq/node_modules node_modules
COPY --from=build /src/bin bin
COPY --from=build /src/dist dist

# Nothing but /data is written to, so the root file system may be read-only.
#
# Every door listens on every address of the container. That needs users, or -allow-anonymous: without either the broker
# does not start, and says so. `docker stop` waits ten seconds, and the broker has ended by then.
ENV PATH=/opt/tinymq/bin:$PATH \
    TINYMQ_DATA_DIR=/data \
    TINYMQ_ADDRESS=:1883 \
    TINYMQ_KAFKA=:9092 \
    TINYMQ_GRPC=:8097 \
    TINYMQ_HTTP=:8080 \
    TINYMQ_SHUTDOWN_TIMEOUT=8
EXPOSE 1883 9092 8097 8080
VOLUME /data
USER 10001:10001

# By the socket of the owner, so it needs no password. A warning (exit code 1) is no reason to start the container anew.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 \
    CMD ["/bin/sh", "-c", "tinymq check || test $? -eq 1"]

ENTRYPOINT ["/opt/tinymq/bin/broker"]

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="tinymq" \
      org.opencontainers.image.description="A small publish/subscribe broker: MQTT, Kafka, gRPC and HTTP" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
