"""fastw2v: fast, trustworthy skip-gram embeddings on a CPU.

The names of `public` are loaded, and Numba with them, when the first of them is used: so that the command ``fastw2v``
is there to say that it was interrupted when Ctrl-C comes in that half second.
"""

from importlib import import_module

from ._version import __version__ as __version__

TYPE_CHECKING = False  # as in typing, which takes as long to load as all of this

if TYPE_CHECKING:
    from .public import *  # noqa: F403
else:

    def __getattr__(name):
        if name.startswith("_"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            return import_module(f".{name}", __name__)
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.{name}":  # something that a module of ours needs
                raise
        globals()[name] = value = getattr(import_module(".public", __name__), name)
        return value

    def __dir__():
        return [*globals(), *(name for name in vars(import_module(".public", __name__)) if not name.startswith("_"))]
