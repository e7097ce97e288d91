ARG CUDA=12.8.1
FROM nvidia/cuda:${CUDA}-cudnn-devel-ubuntu22.04
RUN apt-get update && apt-get install -y python3-pip
RUN python3 -m pip install \
    torch \
    tqdm
