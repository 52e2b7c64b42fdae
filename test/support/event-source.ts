import { onTestFinished } from 'vitest';
import { eventually } from './eventually.ts';

/** One event as it came: its id and its data, which is JSON. */
export interface ReceivedEvent {
  id: string | undefined;
  type: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at whatever came.
  data: any;
}

/** A client of server-sent events, as a browser has one, that tells all it gets (HTML Living Standard, section 9.2.6). */
export class TestEventSource {
  readonly events: ReceivedEvent[] = [];
  readonly response: Response;
  isOver = false;
  readonly #abort: AbortController;

  private constructor(response: Response, abort: AbortController) {
    this.response = response;
    this.#abort = abort;
    if (response.ok) void this.#read().finally(() => (this.isOver = true));
  }

  static async open(url: string, headers: Record<string, string> = {}): Promise<TestEventSource> {
    const abort = new AbortController();
    onTestFinished(() => abort.abort());
    return new TestEventSource(await fetch(url, { headers, signal: abort.signal }), abort);
  }

  get lastEventId(): string {
    return this.events.findLast(({ id }) => id !== undefined)?.id ?? '';
  }

  get payloads(): string[] {
    return this.events.filter(({ type }) => type === 'message').map(({ data }) => data.payload);
  }

  close(): void {
    this.#abort.abort();
  }

  async has(count: number): Promise<void> {
    await eventually(() => this.events.length >= count, `${count} events`);
  }

  async #read(): Promise<void> {
    let text = '';
    try {
      for await (const chunk of this.response.body!.pipeThrough(new TextDecoderStream())) {
        text += chunk;
        const blocks = text.split('\n\n');
        text = blocks.pop()!;
        for (const block of blocks) this.#take(block);
      }
    } catch {
      // It was closed here, or broke off there.
    }
  }

  #take(block: string): void {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line)!;
      if (name !== '') fields.set(name!, value!);
    }
    const data = fields.get('data');
    if (data === undefined) return;
    this.events.push({
      id: fields.get('id'),
      type: fields.get('event') ?? 'message',
      data: JSON.parse(data),
    });
  }
}
