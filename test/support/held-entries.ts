import type { EntryChange } from '../../internal/store/entry-store.ts';
import { MemoryEntries } from '../../internal/store/memory/memory-entries.ts';

/** A store of entries whose writes wait until a test lets them go, or fail. */
export class HeldEntries extends MemoryEntries {
  isHeld = false;
  isFailing = false;
  writes = 0;
  #waiting: (() => void)[] = [];

  override async putEntries(changes: readonly EntryChange[]): Promise<void> {
    this.writes++;
    if (this.isHeld) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.isFailing) throw new Error('the disk is full');
    await super.putEntries(changes);
  }

  /** The oldest write goes on. */
  release(): void {
    this.#waiting.shift()?.();
  }
}
