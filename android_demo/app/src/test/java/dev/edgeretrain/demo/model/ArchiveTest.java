package dev.edgeretrain.demo.model;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.Test;

public class ArchiveTest {
    private static final int PREFIX = 1000;

    /** Java's own writer: deflated with sizes behind the data, offsets that do not count what stands before. */
    @Test
    public void zipOfAnotherWriter() throws Exception {
        byte[] large = new byte[100_000];
        new Random(1).nextBytes(large);
        Archive archive = Archive.read(ByteBuffer.wrap(zip("comment", "b", large, "é.txt", new byte[0])), "model");
        assertEquals(Arrays.asList("b", "é.txt"), new ArrayList<String>(archive.names()));
        assertEquals(PREFIX, archive.start());
        ByteBuffer content = archive.content("b");
        byte[] read = new byte[content.remaining()];
        content.get(read);
        assertArrayEquals(large, read);
        assertEquals(0, archive.content("é.txt").remaining());
    }

    @Test
    public void noArchive() throws Exception {
        Archive archive = Archive.read(ByteBuffer.wrap(new byte[100]), "model");
        assertTrue(archive.names().isEmpty());
        assertEquals(100, archive.start());
        assertTrue(Archive.read(ByteBuffer.wrap(new byte[3]), "model").names().isEmpty());
        assertThrows(ModelException.class, () -> archive.content("labels.txt"));
    }

    /** A file said to have four gigabytes is refused before memory is taken for it. */
    @Test
    public void sizesThatLie() throws Exception {
        byte[] file = zip("", "b", new byte[5000]);
        int entry = file.length - 22 - 46 - 1;
        for (int field : new int[] {20, 24}) {
            byte[] lie = file.clone();
            Arrays.fill(lie, entry + field, entry + field + 4, (byte) 0xFF);
            Archive archive = Archive.read(ByteBuffer.wrap(lie), "model");
            assertThrows(ModelException.class, () -> archive.content("b"));
        }
    }

    /** Encrypted, of an unknown method, or with an end that is missing: refused, and at once. */
    @Test(timeout = 10_000)
    public void filesThatCannotBeUnpacked() throws Exception {
        byte[] file = zip("", "b", new byte[5000]);
        int entry = file.length - 22 - 46 - 1;
        int[][] fieldsAndValues = {{8, file[entry + 8] | 1}, {10, 12}, {20, file[entry + 20] - 3}};
        for (int[] one : fieldsAndValues) {
            byte[] changed = file.clone();
            changed[entry + one[0]] = (byte) one[1];
            Archive archive = Archive.read(ByteBuffer.wrap(changed), "model");
            String message = assertThrows(ModelException.class, () -> archive.content("b")).getMessage();
            assertTrue(message, message.contains("b cannot be unpacked"));
        }
    }

    @Test
    public void damagedDirectory() throws Exception {
        byte[] file = zip("", "b", new byte[] {1, 2, 3});
        int entry = file.length - 22 - 46 - 1;
        for (int at : new int[] {entry, entry + 45, file.length - 22 + 12, file.length - 22 + 10}) {
            byte[] damaged = file.clone();
            damaged[at] ^= 0x7F;
            assertThrows("byte " + at, ModelException.class, () -> Archive.read(ByteBuffer.wrap(damaged), "model"));
        }
    }

    private static byte[] zip(String comment, Object... namesAndContents) throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.write(new byte[PREFIX]);
        ByteArrayOutputStream archive = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(archive)) {
            zip.setComment(comment);
            for (int i = 0; i < namesAndContents.length; i += 2) {
                zip.putNextEntry(new ZipEntry((String) namesAndContents[i]));
                zip.write((byte[]) namesAndContents[i + 1]);
            }
        }
        bytes.write(archive.toByteArray());
        return bytes.toByteArray();
    }
}
