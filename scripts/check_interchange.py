"""What other programs read of the files and requests of `runner`; see scripts/check_interchange."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request


def tensorboard(run):
    """Scalars and hyper-parameters of a run folder, as TensorBoard's own reader and its plugin for them see it."""
    from tensorboard.backend.event_processing import event_accumulator, plugin_event_multiplexer
    from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
    from tensorboard.context import RequestContext
    from tensorboard.plugins import base_plugin
    from tensorboard.plugins.hparams import backend_context, list_session_groups, api_pb2

    reader = event_accumulator.EventAccumulator(run, size_guidance={event_accumulator.SCALARS: 0})
    reader.Reload()
    scalars = {tag: [[e.step, e.value] for e in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}

    # The way that the web page takes.
    multiplexer = plugin_event_multiplexer.EventMultiplexer().AddRunsFromDirectory(os.path.dirname(run))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, os.path.dirname(run))
    context = backend_context.Context(base_plugin.TBContext(data_provider=provider))
    request = api_pb2.ListSessionGroupsRequest(start_index=0, slice_size=100, allowed_statuses=[0, 1, 2, 3])
    content = context.hparams_metadata(RequestContext(), "")
    experiment = context.experiment_from_metadata(RequestContext(), "", False, content, [])
    groups = list_session_groups.Handler(RequestContext(), context, "", request).run()

    def value(v):
        return getattr(v, v.WhichOneof("kind"))

    sessions = [
        {
            "name": group.name,
            "hparams": {name: value(v) for name, v in group.hparams.items()},
            "status": [session.status for session in group.sessions],
        }
        for group in groups.session_groups
    ]
    names = sorted(info.name for info in experiment.hparam_infos)
    return {"scalars": scalars, "sessions": sessions, "hparams": names}


def optuna(journal):
    """The study of a journal, as Optuna opens it."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(journal))
    [name] = optuna.get_all_study_names(storage)
    study = optuna.load_study(study_name=name, storage=storage)
    trials = [
        {
            "number": trial.number,
            "state": trial.state.name,
            "value": trial.value,
            "params": trial.params,
            "intermediate": {str(step): value for step, value in trial.intermediate_values.items()},
            "seed": trial.user_attrs["seed"],
            "seconds": trial.duration.total_seconds() if trial.duration else None,
        }
        for trial in study.get_trials()
    ]
    for trial in study.get_trials():
        trial._validate()
    best = study.best_trial.number
    frame = study.trials_dataframe()
    return {
        "name": name,
        "direction": study.direction.name,
        "metric": study.metric_names,
        "trials": trials,
        "best": best,
        "columns": list(frame.columns),
    }


def mlflow(folder):
    """Runs a server until standard input ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    with open(os.path.join(folder, "server.log"), "wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
             "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--default-artifact-root", f"{folder}/artifacts"],
            stdout=log, stderr=log, env=environment,
        )
    try:
        end = time.time() + 120
        while True:
            if server.poll() is not None or time.time() > end:
                sys.exit(f"the server did not come up: {open(os.path.join(folder, 'server.log')).read()[-2000:]}")
            try:
                urllib.request.urlopen(f"{address}/health", timeout=5).read()
                break
            except OSError:
                time.sleep(0.2)
        print(address, flush=True)
        sys.stdin.read()
    finally:
        server.terminate()
        server.wait()


def mlflow_read(address):
    """All runs on a server, as MLflow's own client reads them."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=address)
    experiments = {e.experiment_id: e.name for e in client.search_experiments()}
    runs = client.search_runs(list(experiments))
    return [
        {
            "experiment": experiments[run.info.experiment_id],
            "name": run.info.run_name,
            "status": run.info.status,
            "params": run.data.params,
            "metrics": {
                key: [[m.step, m.value] for m in client.get_metric_history(run.info.run_id, key)] for key in run.data.metrics
            },
        }
        for run in runs
    ]


if __name__ == "__main__":
    what, argument = sys.argv[1:]
    answer = {"tensorboard": tensorboard, "optuna": optuna, "mlflow": mlflow, "mlflow-read": mlflow_read}[what](argument)
    if answer is not None:
        print(json.dumps(answer))
