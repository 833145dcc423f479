# SPDX-License-Identifier: LGPL-2.1-or-later
# The runner in a small image: docker build -t gst-clips . ; docker run --rm -v "$PWD:/media" gst-clips run proxy …
# Any OCI builder builds it; .ci/image does with buildah.

FROM debian:13-slim AS build
WORKDIR /src
COPY .ci .ci
# What the final stage has already is not gathered twice.
RUN dpkg-query -W -f '${Package}\n' >/base-packages && .ci/install build run
COPY . .
RUN meson setup /build --prefix=/usr --buildtype=release --strip --auto-features=enabled \
      -Dtests=disabled -Dbenchmarks=disabled \
 && meson install -C /build --destdir /installed \
 && rm -rf /installed/usr/include /installed/usr/lib/*/pkgconfig /installed/usr/lib/*/*.a \
 && .ci/collect-runtime /base-packages /installed /runtime

FROM debian:13-slim
COPY --from=build /runtime/ /
# The registry is built now, so that no job pays for the scan; nobody can change the plugins afterwards.
ENV GST_REGISTRY=/usr/share/gst-clips-1.0/registry.bin GST_REGISTRY_UPDATE=no
RUN ldconfig && GST_REGISTRY_UPDATE=yes gst-inspect-1.0 proxybin >/dev/null && chmod 644 $GST_REGISTRY \
 && groupadd --gid 10001 clips && useradd --uid 10001 --gid clips --home-dir /media --no-log-init clips \
 && mkdir -p /media && chown clips:clips /media
USER clips
WORKDIR /media
ENTRYPOINT ["gst-clips"]
CMD ["--help"]
