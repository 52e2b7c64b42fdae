/** Bytes for a place in a file that is there. */
export interface FileWrite {
  readonly path: string;
  readonly position: number;
  readonly buffers: readonly Uint8Array[];
  /** Of all buffers. */
  readonly byteLength: number;
}
