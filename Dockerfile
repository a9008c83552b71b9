# syntax=docker/dockerfile:1
# An image with one static program and certificates, for the platform that it is built on:
#
#   docker build -t registry.example.com/kaito:0.1.0 .
#
# For another platform (--platform linux/arm64) it is compiled in an emulation, which takes hours: rather build on a machine of that kind.

ARG RUST_VERSION=1.95.0

FROM rust:${RUST_VERSION}-alpine AS build
# A C compiler and musl's headers, for libgit2, zlib and ring.
RUN apk add --no-cache build-base ca-certificates
WORKDIR /build
COPY Cargo.toml Cargo.lock build.rs ./
COPY benches benches
COPY presets presets
COPY src src
COPY templates templates
# The same sources give the same bytes: nothing of the time or the machine is in the program.
ARG SOURCE_DATE_EPOCH=0
ENV CARGO_INCREMENTAL=0 CARGO_PROFILE_RELEASE_STRIP=symbols RUSTFLAGS="-C target-feature=+crt-static"
# The target is named, though it is the host: otherwise the flags are those of procedural macros too, which can't be static.
RUN --mount=type=cache,target=/usr/local/cargo/registry target=$(rustc --print host-tuple) \
 && cargo build --locked --release --bin kaito --target "$target" \
 && cp "target/$target/release/kaito" /usr/local/bin/kaito \
 && mkdir -m 1777 /empty
# It is there, runs, and needs no library.
RUN kaito --version && ! readelf --dynamic /usr/local/bin/kaito | grep NEEDED

# The program alone: docker build --target program --output out .
FROM scratch AS program
COPY --from=build /usr/local/bin/kaito /kaito

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="kaito" \
      org.opencontainers.image.description="Renders Kaito Workspaces into the Kubernetes manifests they stand for" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# For API servers whose kubeconfig names no authority; for git and webhooks, Mozilla's authorities are in the program.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build --chmod=1777 /empty /tmp
COPY --from=build /usr/local/bin/kaito /usr/local/bin/kaito
ENV PATH=/usr/local/bin
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/kaito"]
