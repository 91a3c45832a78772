"""`edgeretrain serve`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from edgeretrain.cli.console import RuntimeName, say, say_aside
from edgeretrain.cli.stream_options import RejectBelow, until_stopped
from edgeretrain.errors import EdgeretrainError


def serve_command(
    model: Annotated[
        Path, typer.Argument(help="A model written by `edgeretrain retrain`.", metavar="MODEL", show_default=False)
    ],
    *,
    camera: Annotated[
        str | None,
        typer.Option(metavar="N", help="Which camera: 0 is the first, 1 the second, or a device's path. Default: 0."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Play the photos of a folder instead of a camera.")
    ] = None,
    photos: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where to save photos, in class folders. Default: nothing can be saved."),
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen on. 0.0.0.0: reachable from the local network.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="Port to listen on. 0: any free one.")
    ] = 8080,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            envvar="EDGERETRAIN_TOKEN",
            help="Password that a browser must send. Better set it as EDGERETRAIN_TOKEN: other users can see a command "
            "line. Default: none on a loopback address, else a new one, which is printed.",
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, metavar="N", help="Threads of the interpreter.")] = 1,
    runtime: RuntimeName = None,
    reject_below: RejectBelow = None,
    max_fps: Annotated[
        float | None,
        typer.Option(min=0.01, metavar="N", help="Largest number of frames to classify per second. Default: no limit."),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print a line on stderr for each request.")] = False,
) -> None:
    """Show the picture of a camera and the model's predictions on a web page, for a device without a screen.

    A phone in the same network can also upload photos there, and save frames as training photos. The server runs until
    it is stopped with Ctrl-C or SIGTERM; the exit code is 0.

    Example: edgeretrain serve flowers/model.int8.tflite --photos more_flowers --host 0.0.0.0
    """
    if camera is not None and folder is not None:
        raise EdgeretrainError("--camera and --folder cannot be combined. Give one of them.")
    try:
        from edgeretrain.serve.app import AppResources, make_app
        from edgeretrain.serve.server import run
    except ModuleNotFoundError as error:
        library = (error.name or "").split(".")[0]
        if library == "edgeretrain":
            raise
        raise EdgeretrainError(f'`edgeretrain serve` needs {library}: pip install "edgeretrain[serve]".') from None
    from edgeretrain.classifier import Classifier
    from edgeretrain.serve.address import listen
    from edgeretrain.serve.auth import Guard, check_token, new_token
    from edgeretrain.serve.live import LiveView
    from edgeretrain.serve.photos_store import PhotosStore
    from edgeretrain.stream.camera import open_camera
    from edgeretrain.stream.folder_camera import open_folder
    from edgeretrain.stream.smoothing import Smoother

    given = None if not token else check_token(token)
    with until_stopped(), Classifier(model, threads=threads, runtime=runtime) as classifier:
        store = None if photos is None else PhotosStore(photos, classifier.labels)
        threshold = classifier.reject_below if reject_below is None else reject_below
        smoother = Smoother(classifier.labels, reject_below=threshold)
        listening = listen(host, port)
        secret = given or (None if listening.loopback else new_token())
        source = (
            open_folder(folder, notify=say_aside)
            if folder is not None
            else open_camera(_parse_camera(camera), notify=say_aside)
        )
        with (
            listening.socket,
            source,
            LiveView(classifier, source, smoother, max_fps=max_fps, notify=say_aside) as live,
        ):
            guard = Guard(secret, host=host, port=listening.port)
            resources = AppResources(classifier, live, model.name, store, threshold, say_aside)
            app = make_app(resources, guard, log_request=say_aside if verbose else None)
            # A token that the user chose is not printed: these lines end up in a service's log.
            say(f"Serving {model.name} on {' or '.join(listening.urls(None if given else secret))}")
            say("It asks for your token. Ctrl-C ends it." if given else "Ctrl-C ends it.")
            sys.stdout.flush()
            run(app, listening)


def _parse_camera(camera: str | None) -> int | str:
    if camera is None or camera.isdecimal():
        return int(camera or 0)
    if not camera.startswith("/"):
        raise EdgeretrainError(f"--camera must be 0, 1, ... or a path such as /dev/video2, not {camera!r}.")
    return camera
