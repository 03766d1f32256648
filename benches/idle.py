#!/usr/bin/env python3
"""Times a run with nothing new: 3 applications, a week and a day of hourly objects, from a folder and from S3.

    cargo build --release --locked
    python3 benches/idle.py target/release/gzette [ROUNDS]

The S3 server is the SeaweedFS that tests/run installs (GZETTE_TEST_TOOLS, default ~/.cache/gzette-tests); it
listens on 127.0.0.1 and is ended with this program. Prints medians and the requests of one idle run.
"""
import glob
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

NOW = "2026-01-31T12:00:00Z"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_s3(folder):
    """Starts SeaweedFS without identities, so that it takes any key; returns it and its endpoint."""
    tools = os.environ.get("GZETTE_TEST_TOOLS", os.path.expanduser("~/.cache/gzette-tests"))
    ports = {name: free_port() for name in ("s3", "master", "volume", "filer")}
    grpc = {name + ".port.grpc": free_port() for name in ports}
    command = [os.path.join(tools, "venv/bin/weed"), "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
               f"-dir={folder}", "-filer", "-s3", "-s3.port.iceberg=0", "-s3.port.lance=0",
               "-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=64"]
    command += [f"-{name}.port={port}" for name, port in ports.items()]
    command += [f"-{flag}={port}" for flag, port in grpc.items()]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    endpoint = f"http://127.0.0.1:{ports['s3']}"
    for _ in range(600):
        try:
            urllib.request.urlopen(endpoint + "/healthz", timeout=1)
            return server, endpoint
        except OSError:
            time.sleep(0.1)
    sys.exit("SeaweedFS does not start")


def upload(tools_python, endpoint, folder):
    program = ("import boto3, os, sys\n"
               "s3 = boto3.client('s3', endpoint_url=sys.argv[1], region_name='us-east-1')\n"
               "s3.create_bucket(Bucket='logs')\n"
               "for at, _, names in os.walk(sys.argv[2]):\n"
               "    for name in names:\n"
               "        path = os.path.join(at, name)\n"
               "        s3.upload_file(path, 'logs', 'logs/' + os.path.relpath(path, sys.argv[2]))\n")
    subprocess.run([tools_python, "-c", program, endpoint, folder], check=True)


def idle(gzette, config, rounds, title):
    base = [gzette, "--config", config, "--now", NOW]
    subprocess.run(base + ["run"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    times, summary = [], {}
    for _ in range(rounds):
        begin = time.perf_counter()
        result = subprocess.run(base + ["run", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        times.append(time.perf_counter() - begin)
        summary = json.loads(result.stdout)
    requests = summary["requests"]
    print(f"| {title} | {statistics.median(times):.3f} | {max(times):.3f} | {summary['objects']['listed']} | "
          f"{requests['list']} | {requests['get']} | {requests['put']} |")


def main():
    gzette = os.path.abspath(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 11
    work = tempfile.mkdtemp(prefix="gzette-idle-")
    demo = os.path.join(work, "demo")
    subprocess.run([gzette, "--now", NOW, "demo", "--dir", demo], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    print("| source | median s | slowest s | objects listed | list | get | put |\n|---|---|---|---|---|---|---|")
    idle(gzette, os.path.join(demo, "gzette.toml"), rounds, "folder")
    os.environ.update(AWS_ACCESS_KEY_ID="any", AWS_SECRET_ACCESS_KEY="any", AWS_REGION="us-east-1")
    data = os.path.join(work, "s3")
    os.mkdir(data)
    server, endpoint = start_s3(data)
    try:
        os.environ["AWS_ENDPOINT_URL"] = endpoint
        upload(os.path.join(os.path.dirname(server.args[0]), "python3"), endpoint, os.path.join(demo, "logs"))
        config = os.path.join(work, "gzette.toml")
        with open(config, "w") as out:
            out.write('[[source]]\nname = "s3"\nurl = "s3://logs/logs/"\nlayout = "{app}/{date:%Y%m%d}/"\n')
        idle(gzette, config, rounds, "S3 (SeaweedFS)")
    finally:
        server.kill()
        server.wait()
        # SeaweedFS makes sockets outside its folder, named by port.
        for port in re.findall(r"port[.a-z0-9]*=(\d+)", " ".join(server.args)):
            for path in glob.glob(f"/tmp/seaweedfs-*-{port}.sock"):
                os.remove(path)
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
