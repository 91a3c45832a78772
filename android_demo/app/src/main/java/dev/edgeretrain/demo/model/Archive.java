package dev.edgeretrain.demo.model;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.util.Set;
import java.util.TreeMap;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/**
 * The zip archive behind a model's flatbuffer: where TFLite metadata keeps the associated files. java.util.zip reads
 * archives from files and streams only; this reads the central directory from the mapped model.
 */
final class Archive {
    private static final int END_SIGNATURE = 0x06054b50;
    private static final int END_LENGTH = 22;
    private static final int LONGEST_COMMENT = 65535;
    private static final int ENTRY_SIGNATURE = 0x02014b50;
    private static final int ENTRY_LENGTH = 46;
    private static final int LOCAL_SIGNATURE = 0x04034b50;
    private static final int LOCAL_LENGTH = 30;
    private static final int STORED = 0;
    private static final int DEFLATED = 8;

    /** Labels and a card are kilobytes; a damaged or hostile size must not fill the memory. */
    private static final int LARGEST_FILE = 16 << 20;

    private final ByteBuffer bytes;
    private final String name;
    private final TreeMap<String, Integer> entries = new TreeMap<String, Integer>();
    private int directory;
    private int start;

    /** What central directory offsets lack where something stands before the archive that they do not count. */
    private int shift;

    private Archive(ByteBuffer bytes, String name) {
        this.bytes = bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN);
        this.name = name;
        this.start = bytes.limit();
    }

    /**
     * The archive at the end of `bytes`, which count from position 0; an empty one where there is none.
     *
     * @param name stands in errors.
     */
    static Archive read(ByteBuffer bytes, String name) throws ModelException {
        Archive archive = new Archive(bytes, name);
        int end = archive.findEnd();
        if (end >= 0) {
            archive.readDirectory(end);
        }
        return archive;
    }

    /** The names of its files, sorted. */
    Set<String> names() {
        return entries.keySet();
    }

    /** Where the archive begins: the flatbuffer's length. */
    int start() {
        return start;
    }

    /** The content of a file that {@link #names} holds. */
    ByteBuffer content(String file) throws ModelException {
        Integer entry = entries.get(file);
        if (entry == null) {
            throw damaged(file + " is missing");
        }
        int flags = uint16(entry + 8);
        int method = uint16(entry + 10);
        long packed = uint32(entry + 20);
        long length = uint32(entry + 24);
        int local = local(entry);
        if (int32(local) != LOCAL_SIGNATURE || (flags & 1) != 0 || (method != STORED && method != DEFLATED)
                || length > LARGEST_FILE || packed > LARGEST_FILE) {
            throw damaged(file + " cannot be unpacked");
        }
        int data = inside((long) local + LOCAL_LENGTH + uint16(local + 26) + uint16(local + 28), packed);
        byte[] content = method == STORED ? copy(data, (int) packed) : inflate(copy(data, (int) packed), (int) length, file);
        CRC32 sum = new CRC32();
        sum.update(content);
        if (content.length != length || sum.getValue() != uint32(entry + 16)) {
            throw damaged("the checksum of " + file + " differs");
        }
        return ByteBuffer.wrap(content);
    }

    /** Where the end record lies, or -1. */
    private int findEnd() throws ModelException {
        int last = bytes.limit() - END_LENGTH;
        for (int at = last; at >= Math.max(0, last - LONGEST_COMMENT); at--) {
            if (int32(at) == END_SIGNATURE && at + END_LENGTH + uint16(at + 20) == bytes.limit()) {
                return at;
            }
        }
        return -1;
    }

    private void readDirectory(int end) throws ModelException {
        int count = uint16(end + 10);
        long length = uint32(end + 12);
        directory = inside(end - length, length);
        shift = (int) (directory - uint32(end + 16));
        int entry = directory;
        for (int i = 0; i < count; i++) {
            inside(entry, ENTRY_LENGTH);
            if (int32(entry) != ENTRY_SIGNATURE) {
                throw damaged("its list of files is broken");
            }
            int nameLength = uint16(entry + 28);
            inside((long) entry + ENTRY_LENGTH, nameLength);
            try {
                ByteBuffer letters = ByteBuffer.wrap(copy(entry + ENTRY_LENGTH, nameLength));
                entries.put(Flat.text(letters), entry);
            } catch (CharacterCodingException error) {
                // An old code page: no file that is looked for.
            }
            start = Math.min(start, local(entry));
            entry += ENTRY_LENGTH + nameLength + uint16(entry + 30) + uint16(entry + 32);
        }
    }

    private int local(int entry) throws ModelException {
        return inside(uint32(entry + 42) + shift, LOCAL_LENGTH);
    }

    private byte[] inflate(byte[] packed, int length, String file) throws ModelException {
        byte[] content = new byte[length];
        Inflater inflater = new Inflater(true);
        try {
            inflater.setInput(packed);
            int done = 0;
            while (done < length && !inflater.finished()) {
                int more = inflater.inflate(content, done, length - done);
                if (more == 0) {
                    throw damaged(file + " cannot be unpacked");
                }
                done += more;
            }
            return content;
        } catch (DataFormatException error) {
            throw damaged(file + " cannot be unpacked");
        } finally {
            inflater.end();
        }
    }

    private byte[] copy(int position, int length) throws ModelException {
        inside(position, length);
        byte[] copy = new byte[length];
        ByteBuffer from = bytes.duplicate();
        ((Buffer) from).position(position); // a Buffer: see Flat
        from.get(copy);
        return copy;
    }

    private int inside(long position, long length) throws ModelException {
        if (position < 0 || position + length > bytes.limit()) {
            throw damaged("its list of files is broken");
        }
        return (int) position;
    }

    private int int32(int position) throws ModelException {
        return bytes.getInt(inside(position, 4));
    }

    private long uint32(int position) throws ModelException {
        return int32(position) & 0xFFFFFFFFL;
    }

    private int uint16(int position) throws ModelException {
        return bytes.getShort(inside(position, 2)) & 0xFFFF;
    }

    private ModelException damaged(String how) {
        return new ModelException(name + ": the model file is damaged (" + how + "). Copy or make it again.");
    }
}
