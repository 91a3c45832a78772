package dev.edgeretrain.demo.model;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads JSON as RFC 8259 has it: Map, List, String, Double, Boolean and null. Android brings a reader of its own, which
 * a desktop Java lacks; a library would be a dependency for one small file.
 */
final class Json {
    private static final int DEEPEST = 100;

    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    /**
     * The object that a text holds.
     *
     * @throws IllegalArgumentException it is no JSON object; the message says where.
     */
    static Map<String, Object> object(String text) {
        Json json = new Json(text);
        json.space();
        Map<String, Object> object = json.members(0);
        json.space();
        if (json.at < text.length()) {
            throw json.wrong();
        }
        return object;
    }

    private IllegalArgumentException wrong() {
        return new IllegalArgumentException("no JSON object at character " + at);
    }

    private char peek() {
        return at < text.length() ? text.charAt(at) : '\0';
    }

    private void space() {
        while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t') {
            at++;
        }
    }

    private void expect(String word) {
        if (!text.startsWith(word, at)) {
            throw wrong();
        }
        at += word.length();
    }

    private boolean next(char character) {
        space();
        boolean there = peek() == character;
        at += there ? 1 : 0;
        return there;
    }

    private Object value(int depth) {
        if (depth > DEEPEST) {
            throw wrong();
        }
        space();
        switch (peek()) {
            case '{':
                return members(depth);
            case '[':
                return elements(depth);
            case '"':
                return string();
            case 't':
                expect("true");
                return Boolean.TRUE;
            case 'f':
                expect("false");
                return Boolean.FALSE;
            case 'n':
                expect("null");
                return null;
            default:
                return number();
        }
    }

    private Map<String, Object> members(int depth) {
        Map<String, Object> members = new LinkedHashMap<String, Object>();
        expect("{");
        if (next('}')) {
            return members;
        }
        do {
            space();
            String key = string();
            space();
            expect(":");
            members.put(key, value(depth + 1));
        } while (next(','));
        expect("}");
        return members;
    }

    private List<Object> elements(int depth) {
        List<Object> elements = new ArrayList<Object>();
        expect("[");
        if (next(']')) {
            return elements;
        }
        do {
            elements.add(value(depth + 1));
        } while (next(','));
        expect("]");
        return elements;
    }

    private String string() {
        StringBuilder string = new StringBuilder();
        expect("\"");
        while (peek() != '"') {
            if (peek() < ' ') { // also the end of the text
                throw wrong();
            }
            char character = text.charAt(at++);
            string.append(character == '\\' ? escaped() : character);
        }
        at++;
        return string.toString();
    }

    private char escaped() {
        char character = peek();
        at++;
        int simple = "\"\\/bfnrt".indexOf(character);
        if (simple >= 0) {
            return "\"\\/\b\f\n\r\t".charAt(simple);
        }
        if (character != 'u' || at + 4 > text.length()) {
            throw wrong();
        }
        int code = 0;
        for (int end = at + 4; at < end; at++) {
            int digit = peek() < 128 ? Character.digit(peek(), 16) : -1;
            if (digit < 0) {
                throw wrong();
            }
            code = 16 * code + digit;
        }
        return (char) code;
    }

    private Double number() {
        int start = at;
        while (at < text.length() && "+-.eE0123456789".indexOf(peek()) >= 0) {
            at++;
        }
        String number = text.substring(start, at);
        if (!number.matches("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][-+]?[0-9]+)?")) {
            at = start;
            throw wrong();
        }
        return Double.valueOf(number);
    }
}
