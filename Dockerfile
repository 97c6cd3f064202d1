# Serves the page and the HTTP API: docker build -t ovmlv . && docker run -p 8000:8000 ovmlv
# Another model: docker run -p 8000:8000 -v "$PWD/my_model:/model:ro" ovmlv --model /model
FROM python:3.11-slim

# Libraries that OpenCV's wheel needs.
RUN apt-get update && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /src
COPY requirements requirements
RUN pip install --no-cache-dir torch torchvision \
        --index-url https://download.pytorch.org/whl/cpu \
    && pip install --no-cache-dir -r requirements/runtime.txt -r requirements/mminstall.txt \
        -r requirements/metrics.txt fastapi uvicorn
COPY . .
RUN pip install --no-cache-dir --no-deps . && rm -rf /src/*

RUN useradd --create-home ovmlv
USER ovmlv
WORKDIR /home/ovmlv
ENV HF_HUB_OFFLINE=1 PYTHONUNBUFFERED=1
EXPOSE 8000
# Whether it is to be started again; /readyz tells whether to send it requests.
HEALTHCHECK --interval=30s --timeout=5s --start-period=90s CMD ["python", "-c", \
    "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
# Whoever publishes the port decides who may reach it.
ENTRYPOINT ["ovmlv", "serve", "--access-log", "--host", "0.0.0.0", "--port", "8000"]
CMD ["--model", "motionshapes"]
