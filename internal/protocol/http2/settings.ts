import {
  DEFAULT_MAX_FRAME_BYTES,
  DEFAULT_WINDOW_BYTES,
  LARGEST_MAX_FRAME_BYTES,
  LARGEST_WINDOW_BYTES,
  readUint32,
  SETTING_BYTES,
} from './frame.ts';
import { connectionError } from './http2-error.ts';

/** The settings of RFC 9113, section 6.5.2. */
export const Setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

const DEFAULT_HEADER_TABLE_BYTES = 4_096;

/** What a client asks of whoever sends to it, as far as that concerns a server that pushes nothing. */
export class PeerSettings {
  headerTableBytes = DEFAULT_HEADER_TABLE_BYTES;
  initialWindowBytes = DEFAULT_WINDOW_BYTES;

  /**
   * Takes the payload of a SETTINGS frame. Of a setting that it names several times the last one counts, as nothing
   * happens between them. Settings that are not known are passed over (RFC 9113, section 6.5.2).
   *
   * @throws Http2Error where a value is not allowed.
   */
  take(bytes: Uint8Array, start: number, end: number): void {
    if ((end - start) % SETTING_BYTES !== 0) {
      throw connectionError('FRAME_SIZE_ERROR', 'RFC 9113 6.5', `SETTINGS of ${end - start} bytes`);
    }
    for (let at = start; at < end; at += SETTING_BYTES) {
      this.#set((bytes[at] << 8) | bytes[at + 1], readUint32(bytes, at + 2));
    }
  }

  #set(id: number, value: number): void {
    switch (id) {
      case Setting.headerTableSize:
        this.headerTableBytes = value;
        return;
      case Setting.enablePush:
        if (value > 1) throw badSetting('PROTOCOL_ERROR', 'ENABLE_PUSH', value);
        return;
      case Setting.initialWindowSize:
        if (value > LARGEST_WINDOW_BYTES)
          throw badSetting('FLOW_CONTROL_ERROR', 'INITIAL_WINDOW_SIZE', value);
        this.initialWindowBytes = value;
        return;
      case Setting.maxFrameSize:
        if (value < DEFAULT_MAX_FRAME_BYTES || value > LARGEST_MAX_FRAME_BYTES) {
          throw badSetting('PROTOCOL_ERROR', 'MAX_FRAME_SIZE', value);
        }
        // What is sent here is never larger than the smallest of these.
        return;
    }
  }
}

function badSetting(code: 'PROTOCOL_ERROR' | 'FLOW_CONTROL_ERROR', name: string, value: number): Error {
  return connectionError(code, 'RFC 9113 6.5.2', `${name} is ${value}`);
}
