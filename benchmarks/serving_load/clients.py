"""Clients of a server, in a separate process: `python -m serving_load.clients`.

The process reads jobs from standard input, one line of JSON each, and answers each with a line. The
clients send the contents of files and do not decode answers, so that little but the server is
measured. One answer of each job goes into a file, to be checked.
"""

import http.client
import itertools
import json
import os
import pathlib
import sys
import time

import grpc

from serving_load.closed_loop import measure

# No request takes this long unless the server is stuck.
_TIMEOUT_SECONDS = 300


def run(job):
    """Runs a job.

    Args:
      job: dict: `api` (REST or gRPC), `address`, `model`, `requests` (files), `clients`, `seconds`,
        `server` (process id), `answer` (file to write).
    Returns:
      dict: the result of `closed_loop.measure`, with CPU seconds of the server and of the clients,
      and `answer_bytes`, the size of one answer.
    """
    requests = [pathlib.Path(path).read_bytes() for path in job["requests"]]
    connect = {"REST": rest, "gRPC": rpc}[job["api"]]
    connections = [connect(job["address"], job["model"]) for _ in range(job["clients"])]
    answers = {}

    def client(number):
        ask, _ = connections[number]
        begin = number % len(requests)  # each client begins with another photograph
        turns = itertools.cycle(requests[begin:] + requests[:begin])

        def call():
            answer = ask(next(turns))
            answers.setdefault(number, answer)

        return call

    def cpu_seconds():
        return [cpu_seconds_of(job["server"]), time.process_time()]

    try:
        measured = measure([client(i) for i in range(job["clients"])], job["seconds"], cpu_seconds)
    finally:
        for _, close in connections:
            close()
    pathlib.Path(job["answer"]).write_bytes(answers[0])
    return measured | {"answer_bytes": len(answers[0])}


def rest(address, model):
    """(function of a request's body that gives the answer's, function that closes)."""
    connection = http.client.HTTPConnection(address, timeout=_TIMEOUT_SECONDS)
    path, headers = f"/v1/models/{model}:predict", {"Content-Type": "application/json"}

    def ask(body):
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise RuntimeError(f"{response.status} {answer[:300].decode(errors='replace')}")
        return answer

    return ask, connection.close


def rpc(address, model):
    """The same for gRPC, where the name of the model is part of the request."""
    # A separate connection for each client, as for REST.
    options = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    channel = grpc.insecure_channel(address, options)
    predict = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")

    def ask(message):
        try:
            return predict(message, timeout=_TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            raise RuntimeError(f"{error.code().name} {error.details()}") from error

    return ask, channel.close


def cpu_seconds_of(pid):
    """CPU time of all threads of a process, by Linux.

    Args:
      pid: process id.
    """
    # The program's name, in brackets, may contain spaces.
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    for line in sys.stdin:
        try:
            answer = run(json.loads(line))
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
