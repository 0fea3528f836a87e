/** A tiny WebAssembly module with the core's exports, which answers each message with itself. */

const section = (id: number, ...content: number[]) => [id, content.length, ...content];
const body = (...code: number[]) => [code.length + 2, 0, ...code, 0x0b];
const name = (text: string) => [text.length, ...new TextEncoder().encode(text)];

const LENGTH_GLOBAL = 0;
const I32 = 0x7f;

/** `prepare` also grows the memory, so that its buffer is another each time. */
const PREPARE = body(0x20, 0, 0x24, LENGTH_GLOBAL, 0x41, 1, 0x40, 0, 0x1a, 0x41, 16);
const RETURN_LENGTH = body(0x23, LENGTH_GLOBAL);
const TRAP = body(0x00);
const RETURN_ADDRESS = body(0x41, 16);
/** The address -1, which is four gigabytes. */
const RETURN_ABSURD = body(0x41, 0x7f);

function assemble(call: number[], output: number[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array([
    0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, 2, 0x60, 1, I32, 1, I32, 0x60, 0, 1, I32),
    ...section(3, 3, 0, 1, 1),
    ...section(5, 1, 0, 1),
    ...section(6, 1, I32, 1, 0x41, 0, 0x0b),
    ...section(7, 4, ...name("memory"), 2, 0, ...name("prepare"), 0, 0, ...name("call"), 0, 1, ...name("output"), 0, 2),
    ...section(10, 3, ...PREPARE, ...call, ...output),
  ]);
}

/** Answers with the message. */
export const echo = assemble(RETURN_LENGTH, RETURN_ADDRESS);

/** Traps at the first call. */
export const trap = assemble(TRAP, RETURN_ADDRESS);

/** Says that its output lies where there is no memory. */
export const absurd = assemble(RETURN_LENGTH, RETURN_ABSURD);
