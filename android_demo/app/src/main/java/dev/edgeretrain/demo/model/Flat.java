package dev.edgeretrain.demo.model;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;

/**
 * Reads a flatbuffer: tables, vectors and strings by the slot numbers of their schema. Every read is checked against
 * the buffer's end, so a damaged file gives a ModelException and nothing else.
 */
final class Flat {
    private static final Charset UTF_8 = Charset.forName("UTF-8");

    private final ByteBuffer bytes;
    private final String name;

    /** Reads from position 0 to the limit of `bytes`, whose position stays as it is; `name` stands in errors. */
    Flat(ByteBuffer bytes, String name) {
        this.bytes = bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN);
        this.name = name;
    }

    /** The table that the buffer begins with. */
    Table root() throws ModelException {
        return new Table(target(0));
    }

    /** Text in UTF-8. */
    static String text(ByteBuffer utf8) throws CharacterCodingException {
        return UTF_8.newDecoder().decode(utf8.duplicate()).toString();
    }

    private ModelException damaged() {
        return new ModelException(name + ": the model file is damaged or cut off. Copy or make it again.");
    }

    /** The position, if `length` bytes from there lie inside. */
    private int inside(long position, long length) throws ModelException {
        if (position < 0 || length < 0 || position + length > bytes.limit()) {
            throw damaged();
        }
        return (int) position;
    }

    private int intAt(long position) throws ModelException {
        return bytes.getInt(inside(position, 4));
    }

    /** Where the unsigned offset at a position leads; it counts from that position. */
    private int target(long position) throws ModelException {
        return inside(position + (intAt(position) & 0xFFFFFFFFL), 4);
    }

    /** A table; a field that it lacks has its default value. */
    final class Table {
        private final int start;
        private final int vtable;
        private final int slots;

        private Table(int start) throws ModelException {
            this.start = start;
            vtable = inside((long) start - intAt(start), 4);
            int length = bytes.getShort(vtable) & 0xFFFF;
            inside(vtable, length);
            slots = (length - 4) / 2;
        }

        /** Where a field lies, or -1. */
        private int field(int slot, int length) throws ModelException {
            int offset = slot < slots ? bytes.getShort(vtable + 4 + 2 * slot) & 0xFFFF : 0;
            return offset == 0 ? -1 : inside((long) start + offset, length);
        }

        /** An unsigned byte. */
        int uint8(int slot) throws ModelException {
            int at = field(slot, 1);
            return at < 0 ? 0 : bytes.get(at) & 0xFF;
        }

        int int32(int slot) throws ModelException {
            int at = field(slot, 4);
            return at < 0 ? 0 : bytes.getInt(at);
        }

        /** A table, or null. */
        Table table(int slot) throws ModelException {
            int at = field(slot, 4);
            return at < 0 ? null : new Table(target(at));
        }

        /** Text, or "". */
        String text(int slot) throws ModelException {
            Vector letters = vector(slot, 1);
            try {
                return Flat.text(letters.content());
            } catch (CharacterCodingException error) {
                throw damaged();
            }
        }

        /** A vector whose elements have `size` bytes; empty where there is none. */
        Vector vector(int slot, int size) throws ModelException {
            int at = field(slot, 4);
            return at < 0 ? new Vector(0, 0, size) : new Vector(target(at), size);
        }
    }

    /** A vector of numbers of one size, or of tables. An index outside it is the caller's mistake: damage. */
    final class Vector {
        final int length;
        private final int first;
        private final int size;

        private Vector(int start, int size) throws ModelException {
            this(start + 4, intAt(start), size);
        }

        private Vector(int first, int length, int size) throws ModelException {
            inside(first, (long) length * size);
            this.first = first;
            this.length = length;
            this.size = size;
        }

        private int at(int index) throws ModelException {
            if (index < 0 || index >= length) {
                throw damaged();
            }
            return first + index * size;
        }

        int int32(int index) throws ModelException {
            return bytes.getInt(at(index));
        }

        long int64(int index) throws ModelException {
            return bytes.getLong(at(index));
        }

        float float32(int index) throws ModelException {
            return bytes.getFloat(at(index));
        }

        Table table(int index) throws ModelException {
            return new Table(target(at(index)));
        }

        /** The vector's bytes, from position 0 on. */
        ByteBuffer content() {
            ByteBuffer content = bytes.duplicate();
            // As a Buffer: newer libraries give ByteBuffer a limit() of its own, which older phones lack.
            ((Buffer) content).limit(first + length * size);
            ((Buffer) content).position(first);
            return content.slice();
        }
    }
}
