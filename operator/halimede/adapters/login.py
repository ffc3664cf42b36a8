"""The login at the API server, as a pod or with a kubeconfig."""

from collections.abc import Awaitable, Callable

from kubernetes.aio import config
from kubernetes.aio.client import Configuration

from halimede.adapters.errors import SettingsError

LogIn = Callable[[], Awaitable[Configuration]]
"""Returns a configuration with credentials."""


async def log_in() -> Configuration:
    """Log in with the pod's service account, or else with the kubeconfig (`$KUBECONFIG`).

    Raises:
        SettingsError: Neither is available.
    """
    configuration = Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException:
        try:
            await config.load_kube_config(client_configuration=configuration)
        except (config.ConfigException, OSError) as error:
            raise SettingsError(
                f"no cluster: this is not a pod, and the kubeconfig cannot be used ({error});"
                " set KUBECONFIG to a file that configures your cluster"
            ) from error
    return configuration
