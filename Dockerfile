FROM debian:trixie-slim AS python
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/*

FROM python AS build
RUN apt-get update && apt-get install --yes --no-install-recommends python3-pip
RUN python3 -m venv --without-pip /opt/venv
COPY requirements.txt /tmp/
RUN pip --python /opt/venv/bin/python install --no-cache-dir --require-hashes --requirement /tmp/requirements.txt
COPY bids_app /opt/trialgraph/bids_app
COPY LICENSE run.py version /opt/trialgraph/
# -I: whatever PYTHONPATH or home folder a cluster hands in, only the packages of the image are imported.
# Modes are set here because a checkout may have been made with a tight umask.
RUN sed -i '1s|.*|#!/opt/venv/bin/python -I|' /opt/trialgraph/run.py \
    && chmod -R u=rwX,go=rX /opt/trialgraph \
    && chmod +x /opt/trialgraph/run.py \
    && /opt/venv/bin/python -m compileall -q /opt/trialgraph/bids_app

FROM python
LABEL org.opencontainers.image.title="trialgraph" \
      org.opencontainers.image.description="BIDS App: graph maps of resting-state fMRI, compared between the arms of a randomized trial" \
      org.opencontainers.image.licenses="Apache-2.0"
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
