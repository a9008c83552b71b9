# syntax=docker/dockerfile:1
# One static program and nothing else: docker buildx build --platform linux/amd64,linux/arm64 .
FROM --platform=$BUILDPLATFORM rust:1.89-slim-bookworm AS build
# zig is the C compiler for libgit2, zlib and ring, for either architecture.
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3-pip \
 && pip install --break-system-packages --no-cache-dir cargo-zigbuild==0.20.1 ziglang==0.13.0.post1 \
 && rustup target add x86_64-unknown-linux-musl aarch64-unknown-linux-musl
WORKDIR /src
COPY . .
ARG TARGETARCH
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    case "$TARGETARCH" in \
      amd64) target=x86_64-unknown-linux-musl ;; \
      arm64) target=aarch64-unknown-linux-musl ;; \
      *) echo "there is no image for $TARGETARCH" >&2; exit 1 ;; \
    esac \
 && RUSTFLAGS="--remap-path-prefix=/src=. --remap-path-prefix=/usr/local/cargo=cargo" \
    cargo zigbuild --locked --release --target "$target" \
 && cp "target/$target/release/kaito" /kaito

# Certificate authorities are compiled in, and no ssh or git is started: there is nothing else to bring.
FROM scratch
COPY --from=build /kaito /kaito
USER 65532:65532
ENTRYPOINT ["/kaito"]
