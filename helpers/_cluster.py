"""Work for a Dask cluster, inside ``joblib.parallel_config("dask")``; without `distributed` there is none, and nothing of this runs.

joblib finds the cluster, and the helpers hand out the work themselves: joblib's own way puts the data on one worker and
loses them with it, and waits for ever when a task has failed because its workers died.
"""

import threading
import time
import warnings
from uuid import uuid4

from joblib.parallel import get_active_backend

#: What a process takes before it computes anything, in bytes: Python, NumPy, SciPy, pandas, matplotlib and scikit-learn.
WORKER = 200e6

#: So many seconds without a result may pass before somebody is told that no worker is at work.
PATIENCE = 10

#: The number of BLAS threads and the list of warnings are a process's own: of a worker's threads one at a time may set them.
ALONE = threading.RLock()

#: So many seconds a worker gets to send off what it has done (Dask sends every 2 ms) before it begins with the next task:
#: one that killed it at once would take that word along, and the finished task would be blamed for the death.
SENDING = 0.01


def cluster():
    """Return the client of the Dask cluster that joblib is configured for, or None."""
    backend = get_active_backend()[0]
    if type(backend).__name__ != "DaskDistributedBackend":
        return None
    backend.effective_n_jobs(-1)  # waits some seconds for the first worker, or says what to do
    threads = max(backend.client.ncores().values(), default=1)
    if threads > 1:
        warnings.warn(
            f"a worker of the cluster has {threads} threads, of which only one works at a time: "
            "start more workers with one thread each, `dask worker ADDRESS --nworkers 2 --nthreads 1`",
            stacklevel=3,
        )
    return backend.client


def spread(client, function, tasks, *shared, name, need):
    """Yield (number of the task, ``function(task, *shared)``) on the cluster, as they are done.

    Parameters
    ----------
    client : distributed.Client
    function : callable
        Known by name on the workers, as those of `helpers` are.
    tasks : list
        The first of them begin first.
    *shared : objects
        What all tasks need; sent once, and made again on another worker when the one that has it is lost.
    name, need : callable
        What a task is called, and how many bytes it takes at most; for the error.

    Raises
    ------
    MemoryError, RuntimeError
        If the workers that tried a task were stopped at their limit of memory, or died for another reason.
    """
    import dask
    from distributed import TimeoutError, wait
    from distributed.scheduler import KilledWorker

    run = f"{function.__name__.strip('_')}-{uuid4().hex}"
    # As the result of a task the data can be made again. They travel inside of it, which Dask would warn of.
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):
        there = [client.submit(_itself, each, key=f"data-{run}-{i}") for i, each in enumerate(shared)]
    futures = client.map(_call, tasks, key=[(run, i) for i in range(len(tasks))], function=function, shared=there)
    waiting = dict(zip(futures, range(len(tasks))))
    told = False
    try:
        while waiting:
            try:
                done = wait(list(waiting), timeout=PATIENCE, return_when="FIRST_COMPLETED").done
            except TimeoutError:
                told = told or _nobody_works(client)
                continue
            for future in done:
                if future.status == "error" and isinstance(future.exception(), KilledWorker):
                    # A task that only waited behind the other is blamed with it. They run in their order, so the first it was.
                    client.ncores()  # a question and its answer: by then all that are blamed are known
                    number = min(i for each, i in waiting.items() if each.status == "error")
                    raise _death(client, future.exception(), name(tasks[number]), need(tasks[number])) from None
            for future in done:
                yield waiting.pop(future), future.result()
    finally:
        client.cancel([*waiting, *there])


def _itself(data):
    return data


def _call(task, function, shared):
    time.sleep(SENDING)
    return function(task, *shared)


def _nobody_works(client):
    """Warn if no worker is running; return whether."""
    workers = client.scheduler_info()["workers"].values()
    if any(worker["status"] == "running" for worker in workers):
        return False
    paused = [worker["memory_limit"] for worker in workers if worker["status"] == "paused"]
    warnings.warn(
        f"no worker of the cluster has been at work for {PATIENCE} seconds: "
        + (f"{len(paused)} stand still because their memory is nearly full ({_megabytes(min(paused))} each): "
           "start them with a larger --memory-limit" if paused else "there is none, start one with `dask worker ADDRESS`"),
        stacklevel=4,
    )
    return True


def _death(client, error, name, need):
    """Return the exception that tells why the workers died that tried a task."""
    worker, times = error.last_worker, error.allowed_failures + 1
    limits = [event["rss"] for _, event in client.get_events("worker-restart-memory") if event["worker"] == worker.address]
    if limits:
        return MemoryError(
            f"{name} needs more memory than a worker may take, {_megabytes(worker.memory_limit)}: {times} in turn were "
            f"stopped, the last one at {_megabytes(limits[-1])}. By the size of the data it takes about {_megabytes(need)}. Start the workers "
            "with a larger --memory-limit (and fewer of them on a machine, --nworkers), or leave it out."
        )
    return RuntimeError(
        f"{name} was tried {times} times, and each time its worker died; the last one was {worker.address}. "
        "None was stopped for its memory by Dask: look into the terminal that it was started in, and into the system's log."
    )


def _megabytes(n_bytes):
    return f"{n_bytes / 1e6:.0f} MB"
