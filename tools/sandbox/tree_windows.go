package sandbox

import (
	"os"
	"os/exec"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// A jobObject is all that a command started: a job object, which children cannot leave. Windows has no way to ask a
// process politely, so end kills; and what is left when the command ends is killed with the job.
type jobObject struct{ handle windows.Handle }

func start(cmd *exec.Cmd, _ string) (tree, error) {
	h, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return nil, err
	}
	t := &jobObject{handle: h}
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{}
	info.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err = windows.SetInformationJobObject(h, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	if err != nil {
		t.close()
		return nil, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{HideWindow: true, CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
	if err := cmd.Start(); err != nil {
		t.close()
		return nil, err
	}
	if err := t.adopt(cmd.Process.Pid); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.close()
		return nil, err
	}
	return t, nil
}

func (t *jobObject) adopt(pid int) error {
	const access = windows.PROCESS_SET_QUOTA | windows.PROCESS_TERMINATE
	h, err := windows.OpenProcess(access, false, uint32(pid))
	if err != nil {
		return err
	}
	defer windows.CloseHandle(h)
	return windows.AssignProcessToJobObject(t.handle, h)
}

func (t *jobObject) close() { _ = windows.CloseHandle(t.handle) }

func (t *jobObject) end(exited <-chan struct{}) {
	_ = windows.TerminateJobObject(t.handle, 1)
	<-exited
}

// signals are those that a job can be sent: Windows has no others for a process without a console.
var signals = []string{"KILL"}

func (t *jobObject) send(string) error { return windows.TerminateJobObject(t.handle, 1) }

func (t *jobObject) left() []Process { return nil }

// drain waits for the end of the pipe. Pipes have no deadlines here, so a child that holds it is killed.
func (t *jobObject) drain(_ *os.File, copied <-chan struct{}) {
	late := time.NewTimer(drain)
	defer late.Stop()
	select {
	case <-copied:
	case <-late.C:
		_ = windows.TerminateJobObject(t.handle, 1)
		<-copied
	}
}
