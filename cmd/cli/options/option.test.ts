import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytes, choice, duration, fileMode, integer, list, text, toggle } from './option.ts';

const described = { group: 'Test', help: 'for a test' };
const anyNumber = { min: 0, max: Number.MAX_SAFE_INTEGER };

describe('bytes', () => {
  const size = bytes({ min: 1, max: 1024 ** 4 }, described);

  it.each([
    ['1', 1],
    ['500', 500],
    ['500k', 500 * 1024],
    ['64KB', 64 * 1024],
    ['16MiB', 16 * 1024 ** 2],
    ['16 MiB', 16 * 1024 ** 2],
    ['16mib', 16 * 1024 ** 2],
    ['1.5M', 1.5 * 1024 ** 2],
    ['1GiB', 1024 ** 3],
    ['1T', 1024 ** 4],
  ])('%s', (given, expected) => {
    expect(size.parse([given])).toBe(expected);
  });

  it.each(['', 'x', '-1', '1 M iB', '1e3', '0x10', '1MiBs', '1,5k', 'MiB', 'NaN', 'Infinity', '１'])(
    'refuses %j and shows what is a size',
    (given) => {
      expect(() => size.parse([given])).toThrow('is a size such as 512k, 16MiB or 1GiB');
    },
  );

  it('names its bounds the way they are written', () => {
    expect(() => size.parse(['0'])).toThrow('is at least 1');
    expect(() => size.parse(['2T'])).toThrow('is at most 1024GiB');
  });

  it('reads every whole number of every unit', () => {
    const unit = fc.constantFrom(['', 1], ['k', 1024], ['KiB', 1024], ['mb', 1024 ** 2], ['GiB', 1024 ** 3]);
    fc.assert(
      fc.property(fc.nat(1_000_000), unit, (amount, [name, factor]) => {
        const wide = bytes(anyNumber, described);
        expect(wide.parse([`${amount}${name}`])).toBe(amount * (factor as number));
      }),
    );
  });

  it('gives a whole number within its bounds for any text, or says what is allowed', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9.]{1,6}[kKmMgGiIbB]{0,3}$/)), (given) => {
        const value = outcome(() => size.parse([given]));
        if (value instanceof Error) expect(value.message).toMatch(/^is (a size|at least|at most) /);
        else expect(Number.isInteger(value) && value! >= 1 && value! <= 1024 ** 4).toBe(true);
      }),
    );
  });
});

describe('duration', () => {
  const time = duration({ min: 1, max: 3_600_000 }, described);

  it.each([
    ['2', 2000],
    ['0.5', 500],
    ['.5', 500],
    ['2.', 2000],
    ['4.1', 4100],
    ['500ms', 500],
    ['10s', 10_000],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['0.01d', 864_000],
    ['0.25m', 15_000],
  ])('%s', (given, expected) => {
    expect(time.parse([given])).toBe(expected);
  });

  it.each(['', 's', '-1', '1 s', '1e3', '2w', '1.2.3', 'soon', '.'])('refuses %j', (given) => {
    expect(() => time.parse([given])).toThrow('is a time such as 2, 0.5, 500ms or 2m');
  });

  it('names its bounds in seconds', () => {
    expect(() => time.parse(['0.0001'])).toThrow('is at least 0.001');
    expect(() => time.parse(['2h'])).toThrow('is at most 3600');
  });

  it('means the same in every unit', () => {
    fc.assert(
      fc.property(fc.nat(10_000_000), (milliseconds) => {
        const wide = duration(anyNumber, described);
        expect(wide.parse([`${milliseconds}ms`])).toBe(milliseconds);
        expect(wide.parse([`${(milliseconds / 1000).toFixed(3)}s`])).toBe(milliseconds);
        expect(wide.parse([(milliseconds / 1000).toFixed(3)])).toBe(milliseconds);
      }),
    );
  });
});

describe('integer', () => {
  const count = integer({ min: 1, max: 100 }, described);

  it('takes whole numbers within its bounds', () => {
    expect(count.parse(['1'])).toBe(1);
    expect(count.parse(['100'])).toBe(100);
    expect(() => count.parse(['0'])).toThrow('is at least 1');
    expect(() => count.parse(['101'])).toThrow('is at most 100');
    for (const given of ['', '1.5', '-1', '1e2', 'one', '9'.repeat(16)]) {
      expect(() => count.parse([given])).toThrow('is a whole number');
    }
  });

  it('takes negative ones where its bounds do', () => {
    const shift = integer({ min: -10, max: 10 }, described);
    expect(shift.parse(['-7'])).toBe(-7);
    expect(() => shift.parse(['-11'])).toThrow('is at least -10');
    expect(() => shift.parse(['--7'])).toThrow('is a whole number');
  });
});

describe('the other types', () => {
  it('a toggle is true, false or neither of the two', () => {
    const quiet = toggle(described);
    for (const given of ['1', 'true', 'TRUE', 'yes', 'on', 't']) expect(quiet.parse([given])).toBe(true);
    for (const given of ['0', 'false', 'no', 'off', 'f']) expect(quiet.parse([given])).toBe(false);
    expect(quiet.parse([])).toBe(false);
    expect(() => quiet.parse(['maybe'])).toThrow('is true or false');
  });

  it('a choice is one of its words', () => {
    const network = choice(['tcp', 'unix'], { ...described, default: 'tcp' });
    expect(network.parse(['unix'])).toBe('unix');
    expect(network.parse([])).toBe('tcp');
    expect(() => network.parse(['udp'])).toThrow('is one of tcp, unix');
  });

  it('a file mode is octal', () => {
    const mode = fileMode({ ...described, default: '0660' });
    expect(mode.parse([])).toBe(0o660);
    expect(mode.parse(['600'])).toBe(0o600);
    for (const given of ['0888', '6', '-600', 'rw-rw----', '07777']) {
      expect(() => mode.parse([given])).toThrow('is a mode in octal such as 0660');
    }
  });

  it('a list keeps all that were given, everything else the last', () => {
    expect(list(described).parse(['a', 'b'])).toEqual(['a', 'b']);
    expect(list(described).parse([])).toEqual([]);
    expect(text(described).parse(['a', 'b'])).toBe('b');
    expect(text(described).parse([])).toBeUndefined();
  });
});

function outcome<T>(call: () => T): T | Error {
  try {
    return call();
  } catch (error) {
    return error as Error;
  }
}
