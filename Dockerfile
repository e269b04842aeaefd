# dplass in a container, with PyTorch for the CPU or for CUDA:
#   docker build --tag dplass .
#   docker build --tag dplass:cuda --build-arg TORCH=cu130 .
#   docker run --rm --volume "$PWD:/data" dplass separate street.wav --query "a siren" --output out
# Add --gpus all for CUDA. EXTRAS is what is installed next to the core; "report" is enough for all but training and CLAP.
FROM python:3.13-slim-trixie AS build
ARG TORCH=cpu
ARG EXTRAS=report,serve,train
WORKDIR /build
RUN pip install --no-cache-dir uv==0.13.9 && python -m venv /opt/dplass
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY configs configs
COPY metadata metadata
COPY dplass_cli dplass_cli
RUN uv pip install --no-cache --python /opt/dplass/bin/python --torch-backend "${TORCH}" \
    --constraint constraints.txt ".[${EXTRAS}]"

FROM python:3.13-slim-trixie
COPY --from=build /opt/dplass /opt/dplass
ENV PATH=/opt/dplass/bin:$PATH DPLASS_HOME=/cache
RUN useradd --uid 1000 --create-home dplass && install --directory --owner=1000 /cache /data
USER 1000:1000
VOLUME /cache
WORKDIR /data
EXPOSE 7860
ENTRYPOINT ["dplass"]
CMD ["--help"]
