package main

import (
	"errors"
	"time"

	system "github.com/zalando/go-keyring"
)

const (
	keyringName     = "keyring of the system"
	keyringWait     = 2 * time.Second  // for a key: a locked one asks the user, who may not be there
	keyringPatience = 60 * time.Second // for keeping or removing one: the user is there
)

// errNoEntry says that the keyring has nothing for the account.
var errNoEntry = system.ErrNotFound

// A keyring keeps one secret for each account.
type keyring interface {
	Get(account string) (string, error)
	Set(account, value string) error
	Delete(account string) error
}

// systemKeyring is the one of the user's desktop: Secret Service, Keychain or Credential Manager.
type systemKeyring struct{}

const keyringService = "coder"

// openKeyring returns the system's keyring, or nil where there is none.
func openKeyring() keyring {
	if !keyringThere() {
		return nil
	}
	return systemKeyring{}
}

func (systemKeyring) Get(account string) (string, error) {
	value, err := system.Get(keyringService, account)
	if err == nil && value == "" {
		err = errors.New("it holds an empty key")
	}
	return value, err
}

func (systemKeyring) Set(account, value string) error {
	return system.Set(keyringService, account, value)
}

func (systemKeyring) Delete(account string) error { return system.Delete(keyringService, account) }
