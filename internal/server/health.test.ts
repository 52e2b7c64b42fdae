import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeCertificates } from '../../certs/make.ts';
import { Health } from '../observe/health.ts';
import type { StoreHealth } from '../store/log-store.ts';
import { MemoryStore } from '../store/memory/memory-store.ts';
import { ListenError } from '../transport/listener.ts';
import { addHealthChecks, addListenerCheck, certificateCheck, diskCheck } from './health.ts';

const DAY_MS = 86_400_000;

describe('health', () => {
  it('is that of the part that is worst', () => {
    const health = new Health();
    expect([health.read().status, health.isReady]).toEqual(['pass', true]);
    health.add('one', () => ({ status: 'warn', problem: 'soon' }));
    expect([health.read().status, health.isReady]).toEqual(['warn', true]);
    health.add('other', () => ({ status: 'fail', problem: 'now' }));
    expect([health.read().status, health.isReady]).toEqual(['fail', false]);
  });

  it('says that nobody should come to a broker that stops', () => {
    const health = new Health();
    health.stop();
    expect(health.isReady).toBe(false);
    expect(health.read().checks.broker?.problem).toBe('the broker is stopping');
  });

  it('knows whether the store works', async () => {
    const store = new MemoryStore();
    await store.open();
    const health = new Health();
    addHealthChecks(health, { kept: { store, directory: undefined } });
    expect(health.read().checks.store).toMatchObject({ status: 'pass', waitingChanges: 0 });
    await store.close();
    expect(health.read().checks.store?.status).toBe('fail');
  });

  it('knows the fullest of the disks', () => {
    const check = diskCheck([tmpdir(), tmpdir()]);
    expect(check).toMatchObject({ folder: tmpdir() });
    expect(check.freeBytes).toBeGreaterThan(0);
    expect(() => diskCheck(['/nowhere'])).not.toThrow();
    expect(diskCheck(['/nowhere'])).toMatchObject({ status: 'fail', folder: '/nowhere' });
  });

  it('knows whether the store of sessions works, once somebody needs it', () => {
    const health = new Health();
    let found: StoreHealth | undefined;
    addHealthChecks(health, { kept: undefined, entries: { folder: tmpdir(), health: () => found } });
    expect(health.read()).toMatchObject({ status: 'pass', checks: { disk: { status: 'pass' } } });
    const nothing = { waitingChanges: 0, waitingBytes: 0, corruptBatches: 0 };
    found = { status: 'unavailable', problem: 'the disk is full', ...nothing };
    expect(health.read().checks).toMatchObject({
      store: { status: 'fail', problem: 'the disk is full' },
      disk: { folder: tmpdir() },
    });
  });

  it('knows which listeners are closed, and which could not open', () => {
    const [one, other] = [new Health(), new Health()];
    let isOpen = true;
    const listener = { url: 'tcp://here:1', isOpen: () => isOpen };
    addListenerCheck(one, [listener], []);
    addListenerCheck(other, [listener], [new ListenError('tcp://here:2', new Error('it is in use'))]);
    expect([one.read().status, other.read().status]).toEqual(['pass', 'warn']);
    expect(other.read().checks.listeners?.problem).toContain('tcp://here:2');
    isOpen = false;
    expect(one.read().checks.listeners).toMatchObject({
      ...{ status: 'fail', problem: 'tcp://here:1: the listener is closed', open: 0 },
    });
  });

  it('knows when the certificate ends', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tinymq-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const { serverCert } = await makeCertificates(folder, []);
    const cert = readFileSync(serverCert);
    const { expiresAt } = certificateCheck(cert, Date.now());
    const endsMs = Date.parse(String(expiresAt));
    expect(certificateCheck(cert, endsMs - 30 * DAY_MS).status).toBe('pass');
    expect(certificateCheck(cert, endsMs - DAY_MS)).toMatchObject({ status: 'warn', expiresAt });
    expect(certificateCheck(cert, endsMs + 1000).status).toBe('fail');
  });
});
