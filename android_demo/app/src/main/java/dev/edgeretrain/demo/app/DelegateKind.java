package dev.edgeretrain.demo.app;

import android.os.Build;
import dev.edgeretrain.demo.R;
import dev.edgeretrain.demo.model.ModelException;
import java.util.ArrayList;
import java.util.List;
import org.tensorflow.lite.Delegate;

/**
 * What can run a network. Delegates are found by name: the GPU's library is optional, and a later LiteRT may come
 * without NNAPI, which Android 15 deprecated.
 */
enum DelegateKind {
    CPU(R.string.delegate_cpu, null, 0),
    NNAPI(R.string.delegate_nnapi, "org.tensorflow.lite.nnapi.NnApiDelegate", 27), // Android 8.1
    GPU(R.string.delegate_gpu, "org.tensorflow.lite.gpu.GpuDelegate", 0);

    /** The string that names it on the screen. */
    final int title;

    private final String className;
    private final int since;

    DelegateKind(int title, String className, int since) {
        this.title = title;
        this.className = className;
        this.since = since;
    }

    /** Those that this app and this Android have. Whether one works shows only when it is tried. */
    static List<DelegateKind> present() {
        List<DelegateKind> present = new ArrayList<DelegateKind>();
        for (DelegateKind kind : values()) {
            if (Build.VERSION.SDK_INT >= kind.since && kind.isLinked()) {
                present.add(kind);
            }
        }
        return present;
    }

    /** A new delegate, the caller's to close; null for the CPU, which needs none. */
    Delegate create() throws ModelException {
        if (className == null) {
            return null;
        }
        try {
            return (Delegate) Class.forName(className).getConstructor().newInstance();
        } catch (ReflectiveOperationException error) {
            Throwable cause = error.getCause() == null ? error : error.getCause();
            throw new ModelException(String.valueOf(cause.getMessage() == null ? cause : cause.getMessage()));
        } catch (LinkageError error) { // a part of its library is missing
            throw new ModelException(error.toString());
        }
    }

    private boolean isLinked() {
        if (className == null) {
            return true;
        }
        try {
            Class.forName(className, false, DelegateKind.class.getClassLoader());
            return true;
        } catch (ClassNotFoundException error) {
            return false;
        } catch (LinkageError error) {
            return false;
        }
    }
}
