# The operator, and the fetcher of models: one image with one command.
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/build && python -m venv /opt/halimede
WORKDIR /source

# What the wheel is built with, in the versions and hashes that development uses.
COPY requirements/dev.txt requirements/
RUN sed -nE '/^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/,/[^\\]$/p' requirements/dev.txt > build.txt \
    && /opt/build/bin/pip install --require-hashes --no-deps -r build.txt

COPY requirements/operator.txt requirements/
RUN /opt/halimede/bin/pip install --require-hashes --no-deps -r requirements/operator.txt

COPY pyproject.toml README.md LICENSE ./
COPY operator operator
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir wheels . \
    && /opt/halimede/bin/pip install --no-deps wheels/halimede-*.whl

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/halimede /opt/halimede
ENV PATH=/opt/halimede/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# A number, so that the kubelet can see that it is not root.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["halimede"]
CMD ["run"]
