# pose on the environment of a recipe: the small last layer, which is all that a change of pose's source builds.
#
#   ENVIRONMENT   the image that Dockerfile builds       VERSION    of envcheck
#   POSE          the digest of pose's source            REVISION   the commit that it is from
#   IMAGE, OWNER  as in Dockerfile

ARG ENVIRONMENT
FROM ${ENVIRONMENT} AS build
ARG IMAGE=
ARG OWNER=
LABEL dev.envcheck.image="${IMAGE}" \
      dev.envcheck.owner="${OWNER}"
COPY pose/ /stage/opt/pose/pose/
RUN set -eu; \
    cp /stage/opt/pose/pose/launch.py /stage/opt/pose/__main__.py; \
    PYTHONHASHSEED=0 /opt/envcheck/bin/python -I -S -m compileall -q -f --invalidation-mode unchecked-hash \
        -s /stage /stage/opt/pose; \
    chmod -R u=rwX,go=rX /stage; \
    find /stage -exec touch --no-dereference --date=@315532800 {} +

FROM ${ENVIRONMENT}
ARG IMAGE=
ARG POSE=
ARG VERSION=
ARG REVISION=
LABEL dev.envcheck.image="${IMAGE}" \
      dev.envcheck.pose="${POSE}" \
      org.opencontainers.image.title="pose" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /stage/ /
# As `python -m pose`, past whatever is called pose in the working directory.
ENTRYPOINT ["/opt/envcheck/bin/python", "-I", "/opt/pose"]
