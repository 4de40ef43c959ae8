"""A JupyterHub for a class on one machine: ``jupyterhub -f tools/jupyterhub_config.py``; CONTRIBUTING.md tells the other steps.

As in The Littlest JupyterHub, students are accounts of the machine, and systemd holds each of them to a share of it.
"""

import os
import sys

c = get_config()  # noqa: F821 - JupyterHub defines it

c.JupyterHub.bind_url = "http://127.0.0.1:8000"  # behind a web server that has the certificate
c.JupyterHub.spawner_class = "systemd"
c.Authenticator.allow_all = True  # whoever has an account here
c.Spawner.mem_limit = "1G"  # a kernel that asks for more is stopped, and the student's others with it
c.Spawner.cpu_limit = 2.0
c.Spawner.cmd = [os.path.join(sys.prefix, "bin", "jupyterhub-singleuser")]
# One process for each student's fits, with one thread: what a limit leaves of the machine's processors is not seen from inside.
c.Spawner.environment = {"OMP_NUM_THREADS": "1", "LOKY_MAX_CPU_COUNT": "1"}

# Servers that nobody has used for an hour are stopped; their files stay.
c.JupyterHub.services = [
    {"name": "idle-culler", "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=3600", "--cull-every=300"]}
]
c.JupyterHub.load_roles = [
    {
        "name": "idle-culler",
        "services": ["idle-culler"],
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
    }
]
