import { stageCli } from './stage.ts'

/** Before the tests of a room that runs the command: processes of it are most of what a whole run costs. */
export async function setup(): Promise<void> {
	process.env['YDBACKUP_TEST_CLI'] ??= await stageCli()
}
