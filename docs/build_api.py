"""API pages from the docstrings of tfdepthviz, as HTML in docs/api/.

    python docs/build_api.py

`make docs` installs what it needs and runs it. A warning of pdoc is an error.
"""

import pathlib
import pkgutil
import warnings

import pdoc

import tfdepthviz.serving.server
import trainers  # noqa: F401  (it keeps TensorFlow's messages about CPUs and GPUs back)

FOLDER = pathlib.Path(__file__).resolve().parent / "api"


def main():
    """Builds all pages and prints where they start."""
    warnings.simplefilter("error", UserWarning)
    modules = pkgutil.walk_packages(tfdepthviz.__path__, "tfdepthviz.")
    # pdoc leaves out the modules of a package with __all__ unless they are named.
    names = ["tfdepthviz", *(module.name for module in modules)]
    warnings.filterwarnings("ignore", ".* has already been added", UserWarning)
    # Some packages load their names when they are first used; pdoc looks for them in the package.
    for package in (tfdepthviz, tfdepthviz.serving.server):
        for name in package.__all__:
            setattr(package, name, getattr(package, name))
    pdoc.render.configure(docformat="google", footer_text=f"tfdepthviz {tfdepthviz.__version__}")
    pdoc.pdoc(*names, output_directory=FOLDER)
    print(f"wrote {FOLDER / 'tfdepthviz.html'}")


if __name__ == "__main__":
    main()
