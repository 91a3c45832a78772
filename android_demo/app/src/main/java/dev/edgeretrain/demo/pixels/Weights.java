package dev.edgeretrain.demo.pixels;

/** The weights of one resize pass, n samples to size: a triangle filter, widened when it shrinks. */
final class Weights {
    /** 32 - 8 - 2 bits: a sample times a sum of weights fits into an int. */
    static final int BITS = 22;

    /** Half a unit of the result: a sum that starts with it is rounded to the nearest. */
    static final int HALF = 1 << (BITS - 1);

    private static final double ONE = 1 << BITS;

    /** For each output position, the first sample that counts; never falls from one position to the next. */
    final int[] first;

    /** For each output position, the weights of the samples from {@link #first} on, 1 being 2^22. */
    final int[][] of;

    /**
     * Every operation is rounded to double by itself, in the order of docs/pixels.md: any other order gives other
     * bits.
     *
     * @param start where the photo begins in the n samples: 0, or a part of the first one.
     * @param extent how long it is there, samples.
     */
    Weights(int n, double start, double extent, int size) {
        first = new int[size];
        of = new int[size][];
        double scale = extent / size;
        double support = Math.max(scale, 1.0);
        double inverse = 1.0 / support;
        for (int i = 0; i < size; i++) {
            double centre = start + (i + 0.5) * scale;
            first[i] = Math.max((int) (centre - support + 0.5), 0);
            int last = Math.min((int) (centre + support + 0.5), n);
            double[] real = new double[last - first[i]];
            double sum = 0.0;
            for (int x = 0; x < real.length; x++) {
                double distance = Math.abs((first[i] + x - centre + 0.5) * inverse);
                real[x] = distance < 1.0 ? 1.0 - distance : 0.0;
                sum += real[x];
            }
            of[i] = new int[real.length];
            for (int x = 0; x < real.length; x++) {
                double share = sum != 0.0 ? real[x] / sum : real[x];
                of[i][x] = (int) (0.5 + share * ONE);
            }
        }
    }

    /** The sample that a sum of weighted samples, begun with {@link #HALF}, stands for. */
    static int sample(int sum) {
        return Math.max(0, Math.min(255, sum >> BITS));
    }
}
