FROM debian:trixie-slim AS python
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/*

FROM python AS atlases
RUN apt-get update \
    && cd /tmp && apt-get download mricron-data && dpkg-deb --extract mricron-data_*.deb /atlases \
    && cd /atlases/usr/share && rm -r mricron/lut doc/mricron-data/changelog* \
    && find mricron -type f ! -name 'aal.*' ! -name 'AICHAmc.*' -delete

FROM python AS build
RUN apt-get update && apt-get install --yes --no-install-recommends binutils python3-pip
RUN python3 -m venv --without-pip /opt/venv
COPY requirements.txt /tmp/
RUN pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --require-hashes --requirement /tmp/requirements.txt
# What no run uses: tests and examples of packages, their sources and headers, debugging symbols.
RUN cd /opt/venv/lib/python3*/site-packages \
    && find . -type d \( -name tests -o -name examples -o -name sample_data \) -prune -exec rm -r {} + \
    && find . -type f \( -name '*.pyx' -o -name '*.pxd' -o -name '*.pyi' -o -name '*.c' -o -name '*.h' -o -name '*.hpp' \
        -o -name '*.js.map' \) -delete \
    && rm -r nipype/testing/data \
    && find . -name '*.so*' -type f -exec strip --strip-unneeded {} +
COPY bids_app /opt/trialgraph/bids_app
COPY LICENSE run.py version /opt/trialgraph/
# -I: whatever PYTHONPATH or home folder a cluster hands in, only the packages of the image are imported.
# Modes are set because a checkout may have been made with a tight umask, times in whole seconds because images keep
# no more, and numba's cache holds only for a source with the same time.
RUN sed -i '1s|.*|#!/opt/venv/bin/python -I|' /opt/trialgraph/run.py \
    && chmod -R u=rwX,go=rX /opt/trialgraph \
    && chmod +x /opt/trialgraph/run.py \
    && find /opt/trialgraph -exec touch --date=2025-01-01 {} + \
    && /opt/venv/bin/python -m compileall -q /opt/trialgraph/bids_app
# A small trial through both levels leaves the bytecode of what is imported, the compiled kernels and the list of fonts.
RUN cd /tmp \
    && PYTHONPATH=/opt/trialgraph /opt/venv/bin/python -c 'from bids_app.simulate import simulate_trial; \
        simulate_trial("trial", n_per_arm=3, voxel_size=8, n_volumes=120)' \
    && run="/opt/trialgraph/run.py trial/bids out" \
    && options="--work-dir work --n-cpus 1 --voxel-size 8 --min-minutes 2 --n-permutations 100" \
    && $run participant $options --atlas trial/atlas/*.nii.gz \
    && $run group $options \
    && mkdir /opt/trialgraph/caches \
    && mv work/cache/numba work/cache/matplotlib /opt/trialgraph/caches/ \
    && chmod -R u=rwX,go=rX /opt/trialgraph/caches

FROM python
ARG VERSION=unknown
LABEL org.opencontainers.image.title="trialgraph" \
      org.opencontainers.image.description="BIDS App: graph maps of resting-state fMRI, compared between the arms of a randomized trial" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="debian:trixie-slim" \
      org.opencontainers.image.version="$VERSION"
COPY --from=atlases /atlases/usr/share /usr/share
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/trialgraph /opt/trialgraph
RUN ln -s /opt/trialgraph/run.py /opt/trialgraph/version / \
    && ln -s /opt/trialgraph/run.py /usr/local/bin/trialgraph \
    && useradd --uid 1000 --create-home trialgraph
ENV LANG=C.UTF-8 \
    MPLBACKEND=Agg \
    NIPYPE_NO_ET=1 \
    NO_ET=1 \
    PATH=/opt/venv/bin:$PATH \
    PYTHONNOUSERSITE=1
USER trialgraph
WORKDIR /tmp
ENTRYPOINT ["/run.py"]
