package dev.edgeretrain.demo.app;

/** Which of a camera's sizes to use. A size is {width, height}, pixels. */
final class FrameSize {
    private FrameSize() {}

    /**
     * The size to classify: the smallest whose short side is at least that long; if none is, the largest.
     *
     * @return null when there are no sizes.
     */
    static int[] forModel(int[][] sizes, int shortSide) {
        int[] best = null;
        for (int[] size : sizes) {
            if (best == null) {
                best = size;
                continue;
            }
            boolean enough = Math.min(size[0], size[1]) >= shortSide;
            boolean bestEnough = Math.min(best[0], best[1]) >= shortSide;
            if (enough != bestEnough ? enough : enough ? area(size) < area(best) : area(size) > area(best)) {
                best = size;
            }
        }
        return best;
    }

    /**
     * The size to show: the largest of the same shape as the classified one, so that the screen shows just what the
     * model sees, and no side above `longest`; the classified size itself if there is none.
     */
    static int[] forScreen(int[][] sizes, int[] classified, int longest) {
        int[] best = classified;
        for (int[] size : sizes) {
            boolean sameShape = (long) size[0] * classified[1] == (long) size[1] * classified[0];
            if (sameShape && Math.max(size[0], size[1]) <= longest && area(size) > area(best)) {
                best = size;
            }
        }
        return best;
    }

    private static long area(int[] size) {
        return (long) size[0] * size[1];
    }
}
