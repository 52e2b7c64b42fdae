import type { HeaderField } from './header-field.ts';

/** The header list of a request, put together field by field (RFC 9113, section 8.3.1). */
export class RequestHead {
  method = '';
  scheme = '';
  path = '';
  authority: string | undefined;
  /** How many bytes of DATA the request says it has; undefined where it does not say so. */
  contentLength: number | undefined;
  /** What makes the request malformed; undefined where nothing does (RFC 9113, section 8.1.1). */
  problem: string | undefined;
  readonly #fields: HeaderField[] = [];

  add(field: HeaderField): void {
    this.problem ??= field.problem;
    if (field.name.charCodeAt(0) === COLON) {
      this.#addPseudo(field);
      return;
    }
    this.#fields.push(field);
    if (field.name === 'content-length') this.#setContentLength(field.value);
  }

  /** The value of a field; of several with this name the first. */
  get(name: string): string | undefined {
    for (const field of this.#fields) if (field.name === name) return field.value;
    return undefined;
  }

  /** Called behind the last field. */
  finish(): void {
    if (this.method === '') this.problem ??= 'no :method';
    else if (this.method === 'CONNECT') this.#finishConnect();
    else if (this.scheme === '') this.problem ??= 'no :scheme';
    else if (this.path === '') this.problem ??= 'no :path';
  }

  /** CONNECT names an authority and nothing else (RFC 9113, section 8.5). */
  #finishConnect(): void {
    if (this.scheme !== '' || this.path !== '' || this.authority === undefined) {
      this.problem ??= 'a CONNECT with :scheme or :path, or without :authority';
    }
  }

  #addPseudo({ name, value }: HeaderField): void {
    if (this.#fields.length > 0) this.problem ??= `${name} behind a field`;
    switch (name) {
      case ':method':
        if (this.method !== '') this.problem ??= 'two :method';
        this.method = value;
        return;
      case ':scheme':
        if (this.scheme !== '') this.problem ??= 'two :scheme';
        this.scheme = value;
        return;
      case ':path':
        if (this.path !== '') this.problem ??= 'two :path';
        this.path = value;
        return;
      case ':authority':
        if (this.authority !== undefined) this.problem ??= 'two :authority';
        this.authority = value;
        return;
      default:
        this.problem ??= `${name} in a request`;
    }
  }

  #setContentLength(value: string): void {
    const length = /^\d{1,15}$/.test(value) ? Number(value) : undefined;
    if (length === undefined || (this.contentLength !== undefined && this.contentLength !== length)) {
      this.problem ??= 'the value of content-length';
    }
    this.contentLength = length;
  }
}

/** The fields behind the DATA of a request, of which gRPC has none; they only have to be in order (RFC 9113, section 8.1). */
export class RequestTrailers {
  problem: string | undefined;

  add(field: HeaderField): void {
    this.problem ??= field.problem;
    if (field.name.charCodeAt(0) === COLON) this.problem ??= `${field.name} in trailers`;
  }
}

const COLON = 0x3a;
