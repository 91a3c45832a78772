package org.tensorflow.lite.nnapi;

import org.tensorflow.lite.Delegate;

/** Stands in for the delegate, so that the screen offers it. */
public final class NnApiDelegate implements Delegate {
    @Override
    public long getNativeHandle() {
        return 1;
    }

    @Override
    public void close() {}
}
