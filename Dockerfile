# Two programs with an image each: the operator, which is built by default, and with `--target fetch` the fetcher of models.
# The base image is named by its digest. Dependabot updates it here, so it is no build argument.
FROM python:3.11-slim@sha256:9c900dea9e8fb7e16277c179b555cc72d29a352dbc33cff48ad5a0412fd5bfc7 AS base

FROM base AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/build && python -m venv --without-pip /opt/halimede
WORKDIR /source

# What the wheels are built with, in the versions and hashes that development uses.
COPY requirements/dev.txt requirements/
RUN sed -nE '/^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/,/[^\\]$/p' requirements/dev.txt > build.txt \
    && /opt/build/bin/pip install --require-hashes --no-deps -r build.txt

FROM build AS build-fetch
COPY requirements/fetch.txt requirements/
RUN pip --python /opt/halimede/bin/python install --require-hashes --no-deps -r requirements/fetch.txt

COPY jobs/fetch jobs/fetch
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir wheels ./jobs/fetch \
    && pip --python /opt/halimede/bin/python install --no-deps wheels/halimede_fetch-*.whl

FROM build AS build-operator
COPY requirements/operator.txt requirements/
RUN pip --python /opt/halimede/bin/python install --require-hashes --no-deps -r requirements/operator.txt

COPY pyproject.toml README.md LICENSE ./
COPY operator operator
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir wheels . \
    && pip --python /opt/halimede/bin/python install --no-deps wheels/halimede-*.whl

FROM base AS runtime
# Nothing installs packages in a running container; the build fails if a part of pip is left.
RUN pip uninstall --yes --root-user-action=ignore pip setuptools wheel \
    && rm -r "$(python -c 'import ensurepip; print(*ensurepip.__path__)')" \
    && ! find / -xdev \( -name pip -o -name 'pip-*' -o -name 'pip[0-9]*' \) | grep .
ENV PATH=/opt/halimede/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# A number, so that the kubelet can see that it is not root.
USER 65532:65532

FROM runtime AS fetch
COPY --from=build-fetch /opt/halimede /opt/halimede
ENTRYPOINT ["halimede-fetch"]

# The last stage is the one that is built without a target.
FROM runtime AS operator
COPY --from=build-operator /opt/halimede /opt/halimede
EXPOSE 8080
ENTRYPOINT ["halimede"]
CMD ["run"]
