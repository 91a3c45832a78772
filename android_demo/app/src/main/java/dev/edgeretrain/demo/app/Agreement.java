package dev.edgeretrain.demo.app;

/** Whether a delegate answers as the CPU does. */
final class Agreement {
    /**
     * The largest difference of a probability that is let pass. GPUs compute in half precision and NNAPI drivers round
     * in their own way, which moves a probability by a few hundredths; a driver that is wrong is wrong by far more.
     */
    static final float LARGEST_DIFFERENCE = 0.1f;

    final boolean sameTop;

    /** The largest difference of a probability; NaN when the delegate gives one. */
    final float difference;

    /** Both: the probabilities of the same picture, in the order of the labels. */
    Agreement(float[] cpu, float[] delegate) {
        sameTop = top(cpu) == top(delegate);
        float largest = 0;
        for (int i = 0; i < cpu.length; i++) {
            float one = Math.abs(cpu[i] - delegate[i]);
            if (Float.isNaN(one)) {
                largest = one;
                break;
            }
            largest = Math.max(largest, one);
        }
        difference = largest;
    }

    boolean holds() {
        return sameTop && difference <= LARGEST_DIFFERENCE;
    }

    private static int top(float[] probabilities) {
        int top = 0;
        for (int i = 1; i < probabilities.length; i++) {
            if (probabilities[i] > probabilities[top]) {
                top = i;
            }
        }
        return top;
    }
}
