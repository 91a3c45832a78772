import subprocess
import sys


def run(code: str) -> tuple[str, str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout, done.stderr


def test_what_c_writes_is_swallowed_and_what_python_writes_is_not() -> None:
    code = (
        "import os, sys, warnings\n"
        "from edgeretrain.tflite.quiet import quiet\n"
        "with quiet():\n"
        "    os.write(2, b'noise from C\\n')\n"
        "    warnings.warn('noise')\n"
        "    print('progress', file=sys.stderr)\n"
        "os.write(2, b'after\\n')\n"
        "print('python after', file=sys.stderr)\n"
    )
    assert run(code) == ("", "progress\nafter\npython after\n")


def test_an_error_passes_and_the_terminal_is_back() -> None:
    code = (
        "import os, sys\n"
        "from edgeretrain.tflite.quiet import quiet\n"
        "try:\n"
        "    with quiet():\n"
        "        os.write(2, b'noise')\n"
        "        raise ValueError('wrong')\n"
        "except ValueError as error:\n"
        "    print(error)\n"
        "os.write(2, b'after\\n')\n"
    )
    assert run(code) == ("wrong\n", "after\n")


def test_it_may_be_nested() -> None:
    code = (
        "import os, sys\n"
        "from edgeretrain.tflite.quiet import quiet\n"
        "with quiet():\n"
        "    with quiet():\n"
        "        os.write(2, b'noise')\n"
        "        print('inner', file=sys.stderr)\n"
        "    os.write(2, b'noise')\n"
        "    print('outer', file=sys.stderr)\n"
    )
    assert run(code) == ("", "inner\nouter\n")
