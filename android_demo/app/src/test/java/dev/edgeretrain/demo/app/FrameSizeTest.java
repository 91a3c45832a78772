package dev.edgeretrain.demo.app;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertNull;

import org.junit.Test;

public class FrameSizeTest {
    private static final int[][] SIZES = {{1920, 1080}, {640, 480}, {320, 240}, {1280, 960}, {4000, 3000}, {176, 144}};

    @Test
    public void smallestThatIsEnoughForTheModel() {
        assertArrayEquals(new int[] {320, 240}, FrameSize.forModel(SIZES, 224));
        assertArrayEquals(new int[] {320, 240}, FrameSize.forModel(SIZES, 240));
        assertArrayEquals(new int[] {640, 480}, FrameSize.forModel(SIZES, 241));
        assertArrayEquals(new int[] {4000, 3000}, FrameSize.forModel(SIZES, 5000));
        assertArrayEquals(new int[] {480, 640}, FrameSize.forModel(new int[][] {{480, 640}, {100, 9000}}, 224));
        assertNull(FrameSize.forModel(new int[0][], 224));
    }

    @Test
    public void screenShowsTheSameShape() {
        assertArrayEquals(new int[] {1280, 960}, FrameSize.forScreen(SIZES, new int[] {320, 240}, 1920));
        assertArrayEquals(new int[] {4000, 3000}, FrameSize.forScreen(SIZES, new int[] {320, 240}, 4000));
        assertArrayEquals(new int[] {176, 144}, FrameSize.forScreen(SIZES, new int[] {176, 144}, 1920));
        assertArrayEquals(new int[] {320, 240}, FrameSize.forScreen(new int[0][], new int[] {320, 240}, 1920));
    }
}
