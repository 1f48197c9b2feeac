import { FIXTURE_CREDENTIAL, type RegionFixture } from './region_fixture.js';
import { authorizationFor, basicTime } from './sign_request.js';

/** Posts a request whose body no SDK would send, signed by hand. @returns status and body as they came */
export async function postSigned(
  fixture: Pick<RegionFixture, 'url' | 'name'>,
  operation: string,
  request: object,
): Promise<{ readonly status: number; readonly body: string }> {
  const body = JSON.stringify(request);
  const time = basicTime(Date.now());
  const headers = {
    host: new URL(fixture.url).host,
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-date': time,
    'x-amz-target': `TrentService.${operation}`,
  };
  const authorization = authorizationFor({ ...FIXTURE_CREDENTIAL, region: fixture.name, time, headers, body });
  const response = await fetch(fixture.url, { method: 'POST', headers: { ...headers, authorization }, body });
  return { status: response.status, body: await response.text() };
}
