# The operator, and the fetcher of models: one image with one command.
# The base image is named by its digest. Dependabot updates it here, so it is no build argument.
FROM python:3.11-slim@sha256:9c900dea9e8fb7e16277c179b555cc72d29a352dbc33cff48ad5a0412fd5bfc7 AS base

FROM base AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/build && python -m venv --without-pip /opt/halimede
WORKDIR /source

# What the wheel is built with, in the versions and hashes that development uses.
COPY requirements/dev.txt requirements/
RUN sed -nE '/^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/,/[^\\]$/p' requirements/dev.txt > build.txt \
    && /opt/build/bin/pip install --require-hashes --no-deps -r build.txt

COPY requirements/operator.txt requirements/
RUN pip --python /opt/halimede/bin/python install --require-hashes --no-deps -r requirements/operator.txt

COPY pyproject.toml README.md LICENSE ./
COPY operator operator
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir wheels . \
    && pip --python /opt/halimede/bin/python install --no-deps wheels/halimede-*.whl

FROM base
COPY --from=build /opt/halimede /opt/halimede
# Nothing installs packages in a running container; the build fails if a part of pip is left.
RUN pip uninstall --yes --root-user-action=ignore pip setuptools wheel \
    && rm -r "$(python -c 'import ensurepip; print(*ensurepip.__path__)')" \
    && ! find / -xdev \( -name pip -o -name 'pip-*' -o -name 'pip[0-9]*' \) | grep .
ENV PATH=/opt/halimede/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# A number, so that the kubelet can see that it is not root.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["halimede"]
CMD ["run"]
