# The image of Holdfast, for every role. One file system layer set on a base of your choice:
#
#   docker build -t holdfast .
#   buildah bud --isolation chroot --build-arg BASE=localhost/base:1 -t holdfast .
#   docker run --read-only -v ./config.yaml:/etc/holdfast/config.yaml:ro holdfast run --config /etc/holdfast/config.yaml
#
# BASE needs a C library as Debian's (glibc) and CA certificates; nothing of it is changed.
# BUILD is where the packages are fetched: an image with npm, or with apt to get it. Nothing of it stays.

ARG BASE=docker.io/library/debian:bookworm-slim
ARG BUILD=${BASE}

FROM ${BUILD} AS build
RUN command -v npm > /dev/null || { \
      apt-get update && \
      apt-get install --yes --no-install-recommends ca-certificates libatomic1 npm; }

# Node itself comes from npm as well, by the integrity in its lock file, for the architecture that builds.
WORKDIR /node
COPY manifests/image/package.json manifests/image/package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund && \
    install -D -m 0755 node_modules/node-linux-*/bin/node /image/usr/local/bin/node && \
    mkdir -p /image/usr/local/lib/node && \
    # Libraries that a bare base lacks; those of libc itself must be the base's own.
    ldd /image/usr/local/bin/node | sed -n 's/.*lib\(atomic\|gcc_s\|stdc++\)\.so\.[0-9]* => \([^ ]*\) .*/\2/p' | \
      xargs --no-run-if-empty cp --dereference --target-directory=/image/usr/local/lib/node

WORKDIR /image/holdfast
COPY package.json package-lock.json ./
# No install scripts: the one native package brings its binaries with it.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
COPY src ./src
RUN chmod -R u=rwX,go=rX /image && \
    LD_LIBRARY_PATH=/image/usr/local/lib/node /image/usr/local/bin/node src/cli.ts version

FROM ${BASE}
COPY --from=build /image /
ENV LD_LIBRARY_PATH=/usr/local/lib/node NODE_ENV=production
# A sidecar runs under the application's uid instead (securityContext.runAsUser): PHP refuses files of another user.
USER 65532:65532
WORKDIR /holdfast
ENTRYPOINT ["/usr/local/bin/node", "/holdfast/src/cli.ts"]
CMD ["run", "--config", "/etc/holdfast/config.yaml"]
