import { expect } from 'chai';
import fc from 'fast-check';
import { MonitoringError } from '../../../src/monitoring/errors.js';
import { CBOR_DIALECT, parseCbor, writeCborAnswer } from '../../../src/surfaces/cloudwatch/cbor.js';
import { ProtocolError } from '../../../src/surfaces/cloudwatch/failure.js';
import { JSON_DIALECT, parseJson, writeJsonAnswer } from '../../../src/surfaces/cloudwatch/json.js';
import { parseQueryForm, QUERY_DIALECT } from '../../../src/surfaces/cloudwatch/query_form.js';
import { readRequest } from '../../../src/surfaces/cloudwatch/read.js';
import {
  boolean,
  integer,
  listOf,
  number,
  oneOf,
  structure,
  text,
  timestamp,
} from '../../../src/surfaces/cloudwatch/shape.js';
import { writeXmlAnswer, writeXmlFailure } from '../../../src/surfaces/cloudwatch/xml.js';

const SHAPE = structure(
  { Name: text(1, 64), Count: integer(1, 100) },
  {
    Color: oneOf(['red', 'blue']),
    Value: number,
    IsOn: boolean,
    When: timestamp,
    Items: listOf(structure({ Key: text(0, 16) }, { Values: listOf(number, 5) }), 4),
  },
);

const VALUE = fc.record(
  {
    Name: fc.string({ minLength: 1, maxLength: 64 }),
    Count: fc.integer({ min: 1, max: 100 }),
    Color: fc.constantFrom('red' as const, 'blue' as const),
    Value: fc.double({ noNaN: true }).map((value) => (Object.is(value, -0) ? 0 : value)),
    IsOn: fc.boolean(),
    When: fc.integer({ min: 0, max: 4_102_444_800_000 }).map((ms) => new Date(ms)),
    Items: fc.array(
      fc.record(
        {
          Key: fc.string({ maxLength: 16, unit: 'grapheme-ascii' }),
          Values: fc.array(fc.integer().map(Number), { maxLength: 5 }),
        },
        { requiredKeys: ['Key'] },
      ),
      { maxLength: 4 },
    ),
  },
  { requiredKeys: ['Name', 'Count'] },
);

/** Parameters of a value, as the Query protocol names them. */
function parametersOf(value: unknown, name: string, into: URLSearchParams): URLSearchParams {
  if (value instanceof Date) into.append(name, value.toISOString());
  else if (Array.isArray(value)) {
    if (value.length === 0) into.append(name, '');
    for (const [index, item] of value.entries()) parametersOf(item, `${name}.member.${index + 1}`, into);
  } else if (typeof value === 'object' && value !== null) {
    for (const [member, inner] of Object.entries(value)) {
      parametersOf(inner, name === '' ? member : `${name}.${member}`, into);
    }
  } else into.append(name, String(value));
  return into;
}

describe('The protocols of CloudWatch', () => {
  it('read in CBOR what was written in CBOR', () => {
    fc.assert(
      fc.property(VALUE, (value) => {
        expect(readRequest(SHAPE, parseCbor(writeCborAnswer(SHAPE, value)), CBOR_DIALECT)).to.deep.equal(value);
      }),
    );
  });

  it('read in JSON what was written in JSON', () => {
    fc.assert(
      fc.property(VALUE, (value) => {
        const body = Buffer.from(writeJsonAnswer(SHAPE, value));
        expect(readRequest(SHAPE, parseJson(body), JSON_DIALECT)).to.deep.equal(value);
      }),
    );
  });

  it('read from a form what was written to a form', () => {
    fc.assert(
      fc.property(VALUE, (value) => {
        const form = new URLSearchParams(parametersOf(value, '', new URLSearchParams()).toString());
        expect(readRequest(SHAPE, parseQueryForm(form), QUERY_DIALECT)).to.deep.equal(value);
      }),
    );
  });

  it('refuse octets that mean nothing, and never fail otherwise', () => {
    const harmless = (work: () => unknown): void => {
      try {
        work();
      } catch (error) {
        if (!(error instanceof ProtocolError) && !(error instanceof MonitoringError)) throw error;
      }
    };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (octets) => {
        harmless(() => readRequest(SHAPE, parseCbor(octets), CBOR_DIALECT));
        harmless(() => readRequest(SHAPE, parseJson(octets), JSON_DIALECT));
      }),
      { numRuns: 500 },
    );
    const level = fc.constantFrom('Items', 'member', '1', '2', '0', 'Key', 'Values', 'Name', '__proto__', '');
    const parameter = fc.tuple(fc.array(level, { maxLength: 20 }), fc.string({ maxLength: 8 }));
    fc.assert(
      fc.property(fc.array(parameter, { maxLength: 8 }), (parameters) => {
        const form = new URLSearchParams(
          parameters.map(([levels, value]): [string, string] => [levels.join('.'), value]),
        );
        harmless(() => readRequest(SHAPE, parseQueryForm(form), QUERY_DIALECT));
      }),
      { numRuns: 500 },
    );
  });

  it('refuse a body of nothing but openings', () => {
    const deep = new Uint8Array(200_000).fill(0x81);
    expect(() => parseCbor(deep)).to.throw(ProtocolError, 'not valid CBOR');
    expect(() => parseJson(Buffer.alloc(200_000, '['))).to.throw(ProtocolError, 'not valid JSON');
  });

  it('read times in each of the forms that clients send', () => {
    const read = (When: string): string | undefined => {
      const form = new URLSearchParams({ Name: 'x', Count: '1', When });
      return readRequest(SHAPE, parseQueryForm(form), QUERY_DIALECT).When?.toISOString();
    };
    expect(read('2026-11-21T12:00:00Z')).to.equal('2026-11-21T12:00:00.000Z');
    expect(read('2026-11-21T12:00:00+0100')).to.equal('2026-11-21T11:00:00.000Z');
    expect(read('2026-11-21T12:00:00.5-01:00')).to.equal('2026-11-21T13:00:00.500Z');
    expect(read('2026-11-21')).to.equal('2026-11-21T00:00:00.000Z');
    expect(read('1795262400.25')).to.equal('2026-11-21T12:00:00.250Z');
    expect(() => read('yesterday')).to.throw(ProtocolError, "'when' is not a timestamp");
    expect(() => read('2026-13-41T12:00:00Z')).to.throw(ProtocolError, "'when' is not a timestamp");
  });

  it('tell every broken constraint at once', () => {
    const form = new URLSearchParams({ Count: '101', Color: 'green', 'Items.member.1.Values.member.1': '1' });
    expect(() => readRequest(SHAPE, parseQueryForm(form), QUERY_DIALECT)).to.throw(
      MonitoringError,
      "4 validation errors detected: Value null at 'name' failed to satisfy constraint: Member must not be null; " +
        "Value '101' at 'count' failed to satisfy constraint: Member must have value less than or equal to 100; " +
        "Value 'green' at 'color' failed to satisfy constraint: Member must satisfy enum value set: [red, blue]; " +
        "Value null at 'items.1.member.key' failed to satisfy constraint: Member must not be null",
    );
  });

  it('write XML in which no text ends its element', () => {
    const hostile = '</Key><Key>&amp;"\r\u0000';
    const answer = writeXmlAnswer('Try', SHAPE, { Name: 'n', Count: 1, Items: [{ Key: hostile }] }, 'id');
    expect(answer).to.equal(
      '<TryResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><TryResult><Name>n</Name><Count>1</Count>' +
        '<Items><member><Key>&lt;/Key&gt;&lt;Key&gt;&amp;amp;&quot;&#xD;</Key></member></Items></TryResult>' +
        '<ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></TryResponse>\n',
    );
    const failure = { queryCode: 'A', shapeName: 'B', status: 400, fault: 'Sender' as const, message: '<&>' };
    expect(writeXmlFailure(failure, 'id')).to.contain('<Message>&lt;&amp;&gt;</Message>');
  });
});
