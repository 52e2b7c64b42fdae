/** Compressed bytes that cannot or must not be expanded. */
export class CompressionError extends Error {
  override readonly name = 'CompressionError';
  readonly code: 'corrupt' | 'too-large';

  /** @param message what is wrong, beginning with the codec. */
  constructor(code: CompressionError['code'], message: string) {
    super(message);
    this.code = code;
  }
}
