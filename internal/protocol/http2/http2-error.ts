/** The error codes of HTTP/2 (RFC 9113, section 7). */
export const Http2Code = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  SETTINGS_TIMEOUT: 4,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  CONNECT_ERROR: 10,
  ENHANCE_YOUR_CALM: 11,
  INADEQUATE_SECURITY: 12,
  HTTP_1_1_REQUIRED: 13,
} as const;

export type Http2ErrorCode = (typeof Http2Code)[keyof typeof Http2Code];

/** What a peer sent against a rule. It ends one stream, or the connection where `streamId` is 0 (RFC 9113, section 5.4). */
export class Http2Error extends Error {
  override readonly name = 'Http2Error';
  readonly code: Http2ErrorCode;
  readonly streamId: number;
  /** The rule, such as `RFC 9113 6.5`. */
  readonly rule: string;

  constructor(code: Http2ErrorCode, rule: string, message: string, streamId = 0) {
    super(message);
    this.code = code;
    this.rule = rule;
    this.streamId = streamId;
  }
}

/** An error that ends the connection. */
export function connectionError(code: keyof typeof Http2Code, rule: string, message: string): Http2Error {
  return new Http2Error(Http2Code[code], rule, message);
}

/** An error that ends one stream. */
export function streamError(
  streamId: number,
  code: keyof typeof Http2Code,
  rule: string,
  message: string,
): Http2Error {
  return new Http2Error(Http2Code[code], rule, message, streamId);
}
