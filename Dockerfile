# The project with all that `make repro` needs, on a CPU:
#
#     docker build -t ppcn .
#     docker run --name ppcn ppcn
#     docker cp ppcn:/ppcn/report .
#
# and on a GPU, on a base that has Python and a torch for it, which is then used:
#
#     docker build -t ppcn --build-arg BASE=pytorch/pytorch:2.9.1-cuda12.8-cudnn9-runtime .
#     docker run --name ppcn --gpus all ppcn
#
ARG BASE=python:3.11-slim-bookworm
# hadolint ignore=DL3006
FROM ${BASE}

# What OpenCV needs of the system, and what DVC and make need. Debian keeps only the newest versions.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends git libgl1 libglib2.0-0 make \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /ppcn

# torch for a CPU, where the base has none: the Python index has the one for GPUs, of several GB.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY constraints.txt ./
RUN python3 -c 'import torch' \
    || python3 -m pip install --no-cache-dir --index-url "${TORCH_INDEX}" "$(grep '^torch==' constraints.txt)"

# With .git, for DVC asks git which files are the project's.
COPY . .
RUN git config --global --add safe.directory /ppcn && make setup PYTHON=python3

ENV PATH="/ppcn/.venv/bin:${PATH}"
CMD ["make", "repro", "PYTHON=python3"]
